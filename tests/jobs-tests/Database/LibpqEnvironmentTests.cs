using Jobs.Database;
using Xunit;

namespace Jobs.Tests.Database;

/// <summary>What pg_dump is told of a database URL: the same as Npgsql, by variables.</summary>
public sealed class LibpqEnvironmentTests
{
    private static string Of(string url, string name) => LibpqEnvironment.Of(DatabaseUrl.Parse(url)).GetValueOrDefault(name, "-");

    [Theory]
    [InlineData("PGHOST", "db.example")]
    [InlineData("PGPORT", "6543")]
    [InlineData("PGUSER", "ann")]
    [InlineData("PGPASSWORD", "p@ss word")]
    [InlineData("PGDATABASE", "shop")]
    [InlineData("PGSSLMODE", "verify-full")]
    [InlineData("PGSSLROOTCERT", "/etc/root.crt")]
    [InlineData("PGSSLCERT", "/etc/me.crt")]
    [InlineData("PGSSLKEY", "/etc/me.key")]
    [InlineData("PGOPTIONS", "-csearch_path=club")]
    [InlineData("PGCONNECT_TIMEOUT", "7")]
    [InlineData("PGGSSENCMODE", "disable")]
    [InlineData("PGCHANNELBINDING", "require")]
    public void Every_part_of_the_URL_is_carried_over(string name, string value) => Assert.Equal(
        value,
        Of("postgresql://ann:p%40ss%20word@db.example:6543/shop?sslmode=verify-full&sslrootcert=/etc/root.crt&sslcert=/etc/me.crt&sslkey=/etc/me.key&options=-csearch_path%3Dclub&connect_timeout=7&channel_binding=require", name));

    [Theory]
    [InlineData("", "prefer")]
    [InlineData("?sslmode=disable", "disable")]
    [InlineData("?sslmode=allow", "allow")]
    [InlineData("?sslmode=require", "require")]
    [InlineData("?sslmode=verify-ca&sslrootcert=/r", "verify-ca")]
    public void The_mode_of_TLS_is_the_same(string query, string mode) => Assert.Equal(mode, Of($"postgresql://ann@db/shop{query}", "PGSSLMODE"));

    [Fact]
    public void What_is_not_said_is_not_set()
    {
        Assert.Equal("-", Of("postgresql://ann@db/shop", "PGPASSWORD"));
        Assert.Equal("-", Of("postgresql://ann@db/shop", "PGSSLROOTCERT"));
    }

    [Fact]
    public void Of_several_hosts_it_is_the_one_that_answered()
    {
        var variables = LibpqEnvironment.Of(DatabaseUrl.Parse("postgresql://ann@one,two/shop"), "two", 5433);
        Assert.Equal(("two", "5433"), (variables["PGHOST"], variables["PGPORT"]));
    }

    [Fact]
    public void A_password_of_a_key_would_have_to_stand_in_the_open() =>
        Assert.Throws<DatabaseUrlException>(() => Of("postgresql://ann@db/shop?sslmode=require&sslpassword=x", "PGHOST"));
}
