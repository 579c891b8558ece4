using Jobs.Database;
using Xunit;

namespace Jobs.Tests.Database;

/// <summary>Texts with names and semicolons, taken apart as PostgreSQL's lexical rules have it.</summary>
public sealed class StatementTests
{
    [Theory]
    [InlineData("SELECT @Id", "SELECT $1", "Id")]
    [InlineData("SELECT @a, @b, @A", "SELECT $1, $2, $1", "a,b")]
    [InlineData("SELECT @Id, @IdOfOther", "SELECT $1, $2", "Id,IdOfOther")]
    [InlineData("SELECT @a_1::bigint+@b", "SELECT $1::bigint+@b", "a_1")]
    [InlineData("SELECT @a::bigint + @b", "SELECT $1::bigint + $2", "a,b")]
    [InlineData("SELECT (@a,@b)", "SELECT ($1,$2)", "a,b")]
    [InlineData("SELECT tags @> @x, y <@ z, j @@ q, j @? '$.a'", "SELECT tags @> $1, y <@ z, j @@ q, j @? '$.a'", "x")]
    [InlineData("SELECT 'mail@example', @a", "SELECT 'mail@example', $1", "a")]
    [InlineData("SELECT 'it''s @x; no', @a", "SELECT 'it''s @x; no', $1", "a")]
    [InlineData(@"SELECT E'it\'s @x; no', @a", @"SELECT E'it\'s @x; no', $1", "a")]
    [InlineData(@"SELECT e'\\', @a", @"SELECT e'\\', $1", "a")]
    [InlineData(@"SELECT E'it''s \' @x; no', @a", @"SELECT E'it''s \' @x; no', $1", "a")]
    [InlineData("SELECT '', '''', @a, '''@x;'''", "SELECT '', '''', $1, '''@x;'''", "a")]
    [InlineData(@"SELECT '\', @a", @"SELECT '\', $1", "a")]
    [InlineData(@"SELECT nameE'\', @a", @"SELECT nameE'\', $1", "a")]
    [InlineData("SELECT \"odd @x; \"\" name\", @a", "SELECT \"odd @x; \"\" name\", $1", "a")]
    [InlineData("SELECT $$ @x; $$, $t$ @x; $$ ; $t$, @a", "SELECT $$ @x; $$, $t$ @x; $$ ; $t$, $1", "a")]
    [InlineData("SELECT a$b, c$d$e, @a", "SELECT a$b, c$d$e, $1", "a")]
    [InlineData("SELECT @a -- not @x;\n, @b", "SELECT $1  \n, $2", "a,b")]
    [InlineData("SELECT @a /* not @x; /* nor */ @y; */, @b", "SELECT $1  , $2", "a,b")]
    [InlineData("SELECT 1 - -@a, 6/@b", "SELECT 1 - -@a, 6/@b", "")]
    [InlineData("SELECT 'never closed @x;", "SELECT 'never closed @x;", "")]
    [InlineData("SELECT $t$never closed @x;", "SELECT $t$never closed @x;", "")]
    [InlineData("SELECT 1 /* never closed @x;", "SELECT 1", "")]
    public void Names_become_numbers_where_they_are_parameters(string text, string sql, string names)
    {
        var statement = Assert.Single(Statement.AllOf(text));
        Assert.Equal(sql, statement.Sql);
        Assert.Equal(names, string.Join(',', statement.Names));
    }

    [Fact]
    public void Each_statement_counts_its_own()
    {
        var statements = Statement.AllOf("SET LOCAL lock_timeout = 5000;\nSELECT @b, ';' ;; -- nothing\n;\nSELECT @a, @b;\n");
        Assert.Equal(["SET LOCAL lock_timeout = 5000", "SELECT $1, ';'", "SELECT $1, $2"], statements.Select(s => s.Sql));
        Assert.Equal(["", "b", "a,b"], statements.Select(s => string.Join(',', s.Names)));
    }

    [Theory]
    [InlineData("")]
    [InlineData(" \n ")]
    [InlineData(";;")]
    [InlineData("-- a word")]
    public void Nothing_is_no_statement(string text) => Assert.Empty(Statement.AllOf(text));

    /// <summary>Whoever builds texts from data pays for it in time, not in memory.</summary>
    [Fact]
    public void Texts_made_from_data_are_not_kept_for_ever()
    {
        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var i = 0; i < 20_000; i++)
        {
            Assert.Single(Statement.AllOf($"SELECT {i} -- {new string('x', 2_000)}"));
        }

        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 20_000_000);
    }
}
