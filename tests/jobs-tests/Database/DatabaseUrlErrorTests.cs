using System.Text;
using Jobs.Database;
using Xunit;

namespace Jobs.Tests.Database;

public sealed class DatabaseUrlErrorTests
{
    [Theory]
    [InlineData("", "is empty")]
    [InlineData(" \r\n\t", "is empty")]
    [InlineData("\"\"", "is empty")]
    [InlineData("http://u:hunter2@h/d", "is a web address")]
    [InlineData("https://h", "is a web address")]
    [InlineData("mysql://u:hunter2@h/d", "another kind of server")]
    [InlineData("jdbc:postgresql://h/d?user=u&password=hunter2", "remove \"jdbc:\"")]
    [InlineData("postgresql+psycopg2://u:hunter2@h/d", "begin with postgresql://")]
    [InlineData("hunter2://h", "unknown scheme")]
    [InlineData("postgres:u:hunter2@h/d", "two slashes")]
    [InlineData("u:hunter2@h/d", "has no scheme")]
    [InlineData("DATABASE_URL=postgres://u:hunter2@h/d", "name of its variable")]
    [InlineData("psql 'postgres://u:hunter2@h/d'", "command psql")]
    [InlineData("postgres://u:hunter2@h/d\0", "zero byte")]
    [InlineData("postgres://u:hun ter2@h/d", "a space as %20")]
    [InlineData("postgres://u:hunter2%@h/d", "% in the password")]
    [InlineData("postgres://u:hunter2%zz@h/d", "literal % as %25")]
    [InlineData("postgres://u:hunter2%4@h/d", "literal % as %25")]
    [InlineData("postgres://u:hunter2%00@h/d", "%00 in the password")]
    [InlineData("postgres://u:hunter2%FF@h/d", "not UTF-8")]
    [InlineData("postgres://u%zz:hunter2@h/d", "% in the user")]
    [InlineData("postgres://u:p@hunter2@h/d", "more than one \"@\"")]
    [InlineData("postgres://u:p/hunter2@h/d", "\"/\" before its \"@\"")]
    [InlineData("postgres://u:1/2?hunter2=3@h/d", "\"/\" before its \"@\"")]
    [InlineData("postgres://u:hunter2@h:0/d", "from 1 to 65535")]
    [InlineData("postgres://u:hunter2@h:65536/d", "from 1 to 65535")]
    [InlineData("postgres://u:hunter2@h:-1/d", "from 1 to 65535")]
    [InlineData("postgres://u:hunter2@h:99999999999999999999/d", "from 1 to 65535")]
    [InlineData("postgres://u:hunter2", "from 1 to 65535")]
    [InlineData("postgres://u:hunter2@h1:1,h2:x/d", "from 1 to 65535")]
    [InlineData("postgres://u:hunter2@h1,h2,h3/d?port=1,2", "one for each host")]
    [InlineData("postgres://u:hunter2@::1/d", "square brackets")]
    [InlineData("postgres://u:hunter2@[::1/d", "closing bracket")]
    [InlineData("postgres://u:hunter2@[db]/d", "square brackets")]
    [InlineData("postgres://u:hunter2@[::1]5432/d", "more than a port after the bracket")]
    [InlineData("postgres://u:hunter2@h%20x/d", "in its host")]
    [InlineData("postgres://u:hunter2@h/d?sslmod=require", "\"sslmod\": did you mean sslmode?")]
    [InlineData("postgres://u:hunter2@h/d?SSLMODE=require", "did you mean sslmode?")]
    [InlineData("postgres://u:hunter2@h/d?sslrootcrt=x", "did you mean sslrootcert?")]
    [InlineData("postgres://u:hunter2@h/d?connect_timout=3", "did you mean connect_timeout?")]
    [InlineData("postgres://u:hunter2@h/d?frobnicate=1", "\"frobnicate\": check its spelling")]
    [InlineData("postgres://u:hunter2@h/d?currentSchema=x", "search_path%3Dname")]
    [InlineData("postgres://u:hunter2@h/d?pgbouncer=true", "remove it")]
    [InlineData("postgres://u:hunter2@h/d?service=x", "service file")]
    [InlineData("postgres://u:hunter2@h/d?database=x", "dbname")]
    [InlineData("postgres://u:hunter2@h/d?sslmode", "name=value")]
    [InlineData("postgres://u:hunter2@h/d?options=-csearch_path=x", "= as %3D")]
    [InlineData("postgres://u:hunter2@h/d?sslmode=require&sslmode=disable", "sslmode twice")]
    [InlineData("postgres://u:hunter2@h/d?sslmode=verify_full", "must be one of disable")]
    [InlineData("postgres://u:hunter2@h/d?sslmode=require&sslrootcert=system", "verify-full")]
    [InlineData("postgres://u:hunter2@h/d?sslnegotiation=direct", "can only be direct")]
    [InlineData("postgres://u:hunter2@h/d?connect_timeout=soon", "whole number of seconds")]
    [InlineData("postgres://u:hunter2@h/d?client_encoding=latin1", "must be UTF8")]
    [InlineData("postgres://u:hunter2@h/d?target_session_attrs=standby", "cannot be written to")]
    [InlineData("postgres://u:hunter2@h/d?hostaddr=elsewhere", "IP address")]
    [InlineData("postgres://u:hunter2@h/d?hostaddr=10.0.0.1&sslmode=verify-full", "connect by name")]
    [InlineData("postgres://u:hunter2@h/d?hostaddr=10.0.0.1,10.0.0.2", "as many addresses")]
    [InlineData("postgres://u:hunter2@h/d?require_auth=magic", "authentication methods")]
    [InlineData("host=h dbname=d usr=u password=hunter2", "\"usr\": did you mean user?")]
    [InlineData("host=h password='hunter2", "quote that is not closed")]
    [InlineData("host=h password=my hunter2", "without \"=\"")]
    [InlineData("host=h user=a user=b password=hunter2", "user twice")]
    [InlineData("Host=h;Usernam=u;Password=hunter2", "did you mean Username?")]
    [InlineData("Host=h;Passwort=hunter2", "did you mean Password?")]
    [InlineData("Host=h;Port=hunter2", "not allowed for it")]
    [InlineData("Host=h;Pasword=hunter2;Ssl Mode=bogus", "did you mean Password?")]
    [InlineData("Host=h;Password=hunter2;Ssl Mode=bogus", "ssl mode has a value")]
    [InlineData("Username=u;Password=hunter2", "add Host=")]
    [InlineData("Host=h;Password=\"hunter2", "neither")]
    [InlineData("Host=h;Password=hunter2;Minimum Pool Size=9;Maximum Pool Size=3", "contradict")]
    [InlineData("Host=h;Password=hunter2;Target Session Attributes=standby", "contradict")]
    public void The_sentence_says_what_is_wrong_and_never_the_password(string value, string says)
    {
        var e = Assert.Throws<DatabaseUrlException>(() => DatabaseUrl.Parse(value));

        Assert.Contains(says, e.Message, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("hunter2", e.Message, StringComparison.OrdinalIgnoreCase);
        Assert.StartsWith("The database URL", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
        Assert.True(e.Message.EndsWith('.') || e.Message.EndsWith('?') || e.Message.EndsWith(" remove it", StringComparison.Ordinal), e.Message);
        Assert.Null(e.InnerException);
    }

    [Fact]
    public void Garbage_is_refused_in_the_same_way_and_never_repeats_the_password()
    {
        string[] pieces =
        [
            "postgres://", "postgresql://", "user", "h.example", ":", "/", "@", "?", "&", "=", ",", "[", "]", "::1", "%", "%41", "%00", "%C3", "#", ";",
            " ", "'", "\"", "\\", "\0", "\n", "5432", "99999", "sslmode", "require", "host", "Host", "Password", "password", "port", "dbname", "service",
            "é", "\uD800", "\U0001F511", "options", "-c", "hostaddr", "connect_timeout", "Timeout", "Pooling", "x",
        ];
        const string secret = "Zq7Zq7Zq7";
        var accepted = 0;
        for (var seed = 0; seed < 60_000; seed++)
        {
            var random = new Random(seed);
            var text = new StringBuilder();
            string[] starts = ["", "postgres://", $"postgres://u:{secret}@", $"postgres://u:{secret}@h/d?", $"postgres://u:{secret}", $"Host=h;Password={secret};", $"host=h password={secret} "];
            text.Append(starts[random.Next(starts.Length)]);
            for (var length = random.Next(12); length > 0; length--)
                text.Append(random.Next(12) == 0 ? secret : random.Next(20) == 0 ? ((char)random.Next(1, 0x3000)).ToString() : pieces[random.Next(pieces.Length)]);

            try
            {
                DatabaseUrl.Parse(text.ToString());
                accepted++;
            }
            catch (DatabaseUrlException e)
            {
                Assert.False(e.ToString().Contains(secret, StringComparison.OrdinalIgnoreCase), $"seed {seed}: {e.Message}");
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {seed}: {e.GetType().Name} {e.Message} for {text}");
            }
        }

        Assert.InRange(accepted, 1000, 59_000);
    }
}
