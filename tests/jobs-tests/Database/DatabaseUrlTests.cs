using System.Reflection;
using Jobs.Database;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Database;

public sealed class DatabaseUrlTests
{
    [Theory]
    [InlineData("postgresql://jobs:secret@db.example:6543/shop")]
    [InlineData("postgres://jobs:secret@db.example:6543/shop")]
    [InlineData("PostgreSQL://jobs:secret@db.example:6543/shop")]
    [InlineData("  postgres://jobs:secret@db.example:6543/shop\r\n")]
    [InlineData("\uFEFFpostgres://jobs:secret@db.example:6543/shop")]
    [InlineData("\"postgres://jobs:secret@db.example:6543/shop\"")]
    [InlineData("'postgres://jobs:secret@db.example:6543/shop'\n")]
    [InlineData("postgres:///shop?host=db.example&port=6543&user=jobs&password=secret")]
    [InlineData("postgres://a:b@c:1/d?host=db.example&port=6543&user=jobs&password=secret&dbname=shop")]
    [InlineData("host=db.example port=6543 user=jobs password=secret dbname=shop")]
    [InlineData("host = db.example\tport='6543'\nuser=jobs password='secret' dbname=shop")]
    [InlineData("Host=db.example;Port=6543;Username=jobs;Password=secret;Database=shop")]
    [InlineData("server=db.example;port=6543;user id=jobs;pwd=secret;db=shop;")]
    public void Every_form_names_the_same_database(string value)
    {
        var parsed = DatabaseUrl.Parse(value);

        Assert.Equal(("db.example", 6543, "jobs", "secret", "shop"), (parsed.Host, parsed.Port, parsed.Username, parsed.Password, parsed.Database));
    }

    [Theory]
    [InlineData("postgres://jobs@db")]
    [InlineData("Host=db;Username=jobs;Database=jobs")]
    public void The_defaults_suit_short_programs_behind_a_pooler(string value)
    {
        var parsed = DatabaseUrl.Parse(value);

        Assert.Equal(5432, parsed.Port);
        Assert.Equal("jobs", parsed.Database);
        Assert.Equal(GssEncryptionMode.Disable, parsed.GssEncryptionMode);
        Assert.True(parsed.NoResetOnClose);
        Assert.False(parsed.IncludeErrorDetail);
        Assert.False(parsed.PersistSecurityInfo);
        Assert.Equal(0, parsed.MaxAutoPrepare);
        Assert.Equal(SslMode.Prefer, parsed.SslMode);
    }

    [Fact]
    public void What_the_value_asks_for_wins_over_the_defaults()
    {
        Assert.Equal(GssEncryptionMode.Prefer, DatabaseUrl.Parse("postgres://u@h/d?gssencmode=prefer").GssEncryptionMode);
        Assert.Equal(GssEncryptionMode.Require, DatabaseUrl.Parse("Host=h;GSS Encryption Mode=Require").GssEncryptionMode);
        Assert.False(DatabaseUrl.Parse("Host=h;No Reset On Close=false").NoResetOnClose);
        Assert.False(DatabaseUrl.Parse("Host=h;Persist Security Info=true").PersistSecurityInfo);
    }

    [Fact]
    public void Without_a_host_it_is_localhost_and_without_a_user_the_one_who_runs()
    {
        var parsed = DatabaseUrl.Parse("postgresql://");

        Assert.Equal(("localhost", 5432, Environment.UserName, Environment.UserName), (parsed.Host, parsed.Port, parsed.Username, parsed.Database));
        Assert.Equal("localhost", DatabaseUrl.Parse("postgresql://u@/d").Host);
        Assert.Equal(("localhost", 6000), (DatabaseUrl.Parse("postgresql://u@:6000/d").Host, DatabaseUrl.Parse("postgresql://u@:6000/d").Port));
        Assert.Equal("localhost", DatabaseUrl.Parse("postgresql:///d").Host);
        Assert.Null(DatabaseUrl.Parse("postgresql://u@h/d").Password);
        Assert.Equal("u", DatabaseUrl.Parse("postgresql://u@h/").Database);
    }

    [Theory]
    [InlineData("p%40ss", "p@ss")]
    [InlineData("a%2Fb%3Fc%23d%3Ae", "a/b?c#d:e")]
    [InlineData("100%25", "100%")]
    [InlineData("a+b", "a+b")]
    [InlineData("a;b='c'%22d", "a;b='c'\"d")]
    [InlineData("a:b", "a:b")]
    [InlineData("a?b#c&d=e", "a?b#c&d=e")]
    [InlineData("%C3%A9t%C3%A9", "été")]
    [InlineData("été", "été")]
    [InlineData("%F0%9F%94%91", "\U0001F511")]
    [InlineData("%20two%20words%20", " two words ")]
    public void A_password_may_hold_anything(string written, string meant)
    {
        var parsed = DatabaseUrl.Parse($"postgres://jobs:{written}@db/shop");

        Assert.Equal(meant, parsed.Password);
        Assert.Equal(meant, new NpgsqlConnectionStringBuilder(parsed.ConnectionString).Password);
        Assert.Equal("db", parsed.Host);
    }

    [Fact]
    public void User_and_database_are_decoded_too()
    {
        var parsed = DatabaseUrl.Parse("postgres://jobs%40tenant:x@db/my%2Fshop%20%31");

        Assert.Equal(("jobs@tenant", "my/shop 1"), (parsed.Username, parsed.Database));
    }

    [Theory]
    [InlineData(@"host=h user=u password='it\'s \\ two words'", @"it's \ two words")]
    [InlineData(@"host=h user=u password=a\ b", "a b")]
    [InlineData("host=h user=u password=a;b", "a;b")]
    [InlineData("host=h user=u password='a=b;c'", "a=b;c")]
    [InlineData("host=h user=u password = 'x'", "x")]
    public void Libpq_keyword_values_are_unquoted(string value, string password) =>
        Assert.Equal(password, DatabaseUrl.Parse(value).Password);

    [Fact]
    public void An_npgsql_value_may_contain_spaces_and_semicolons()
    {
        var parsed = DatabaseUrl.Parse("Host=h;Username=u;Password=\"a b;c=d\";Application Name=my job");

        Assert.Equal(("a b;c=d", "my job"), (parsed.Password, parsed.ApplicationName));
    }

    [Theory]
    [InlineData("postgres://u@[::1]/d", "::1", 5432)]
    [InlineData("postgres://u@[2001:db8::1]:6000/d", "2001:db8::1", 6000)]
    [InlineData("postgres://u@[fe80::1%25eth0]/d", "fe80::1%eth0", 5432)]
    [InlineData("postgres://u@h1,h2/d", "h1:5432,h2:5432", 5432)]
    [InlineData("postgres://u@h1:5432,h2:5433/d", "h1:5432,h2:5433", 5432)]
    [InlineData("postgres://u@h1,[::1]:6000/d", "h1:5432,[::1]:6000", 5432)]
    [InlineData("postgres:///d?host=h1,h2&port=6000&user=u", "h1:6000,h2:6000", 5432)]
    [InlineData("postgres:///d?host=h1,h2&port=6000,6001&user=u", "h1:6000,h2:6001", 5432)]
    [InlineData("postgres:///d?host=/var/run/postgresql&user=u", "/var/run/postgresql", 5432)]
    [InlineData("postgres://u@%2Fvar%2Frun%2Fpostgresql/d", "/var/run/postgresql", 5432)]
    [InlineData("postgres://u@%2Fvar%2Frun:6000/d", "/var/run", 6000)]
    [InlineData("postgres://u@localhost/d?host=/tmp", "/tmp", 5432)]
    [InlineData("host=/tmp user=u", "/tmp", 5432)]
    [InlineData("postgres://u@/d?hostaddr=10.0.0.1", "10.0.0.1", 5432)]
    [InlineData("postgres://u@db/d?hostaddr=::1&sslmode=require", "::1", 5432)]
    public void Hosts_of_every_kind(string value, string host, int port)
    {
        var parsed = DatabaseUrl.Parse(value);

        Assert.Equal((host, port), (parsed.Host, parsed.Port));
        using var usable = NpgsqlDataSource.Create(parsed);
    }

    [Theory]
    [InlineData("sslmode=disable", SslMode.Disable)]
    [InlineData("sslmode=allow", SslMode.Allow)]
    [InlineData("sslmode=prefer", SslMode.Prefer)]
    [InlineData("sslmode=require", SslMode.Require)]
    [InlineData("sslmode=verify-ca", SslMode.VerifyCA)]
    [InlineData("sslmode=verify-full", SslMode.VerifyFull)]
    [InlineData("sslmode=require&sslrootcert=/r.crt", SslMode.VerifyCA)]
    [InlineData("sslmode=verify-full&sslrootcert=/r.crt", SslMode.VerifyFull)]
    [InlineData("sslmode=verify-full&sslrootcert=system", SslMode.VerifyFull)]
    [InlineData("sslrootcert=system", SslMode.VerifyFull)]
    [InlineData("ssl=true", SslMode.Require)]
    public void Tls_as_libpq_means_it(string query, SslMode mode)
    {
        var parsed = DatabaseUrl.Parse("postgres://u@h/d?" + query);

        Assert.Equal(mode, parsed.SslMode);
        Assert.Equal(query.Contains("/r.crt", StringComparison.Ordinal) ? "/r.crt" : null, parsed.RootCertificate);
    }

    [Fact]
    public void The_other_parameters_arrive()
    {
        var parsed = DatabaseUrl.Parse(
            "postgres://u@h/d?sslmode=verify-full&sslcert=/c.crt&sslkey=/c.key&sslpassword=k&connect_timeout=7&application_name=a%20b"
            + "&options=-csearch_path%3Dshop&channel_binding=require&keepalives=1&keepalives_idle=30&keepalives_interval=5"
            + "&keepalives_count=3&client_encoding=utf8&passfile=/p&krbsrvname=pg&sslnegotiation=direct&require_auth=scram-sha-256&");

        Assert.Equal(("/c.crt", "/c.key", "k"), (parsed.SslCertificate, parsed.SslKey, parsed.SslPassword));
        Assert.Equal((7, "a b", "-csearch_path=shop"), (parsed.Timeout, parsed.ApplicationName, parsed.Options));
        Assert.Equal((ChannelBinding.Require, SslNegotiation.Direct), (parsed.ChannelBinding, parsed.SslNegotiation));
        Assert.Equal((true, 30, 5), (parsed.TcpKeepAlive, parsed.TcpKeepAliveTime, parsed.TcpKeepAliveInterval));
        Assert.Equal(("/p", "pg", "ScramSHA256"), (parsed.Passfile, parsed.KerberosServiceName, parsed.RequireAuth));
        using var usable = NpgsqlDataSource.Create(parsed);
    }

    [Theory]
    [InlineData("connect_timeout=0", 0)]
    [InlineData("connect_timeout=-1", 0)]
    [InlineData("connect_timeout=9999", 1024)]
    [InlineData("connect_timeout=", 15)]
    public void A_time_to_connect_beyond_what_npgsql_takes_is_cut(string query, int seconds) =>
        Assert.Equal(seconds, DatabaseUrl.Parse("postgres://u@h/d?" + query).Timeout);

    [Fact]
    public void With_several_hosts_the_kind_of_server_is_chosen_and_with_one_it_need_not_be()
    {
        Assert.Equal("read-write", DatabaseUrl.Parse("postgres://u@h1,h2/d?target_session_attrs=read-write").TargetSessionAttributes);
        Assert.True(DatabaseUrl.Parse("postgres://u@h1,h2/d?load_balance_hosts=random").LoadBalanceHosts);

        using var usable = NpgsqlDataSource.Create(DatabaseUrl.Parse("postgres://u@h/d?target_session_attrs=read-write&load_balance_hosts=random"));
    }

    [Fact]
    public void A_parameter_may_be_repeated_with_the_same_value() =>
        Assert.Equal("a", DatabaseUrl.Parse("postgres://u@h/d?application_name=a&application_name=a").ApplicationName);

    [Fact]
    public void Npgsql_still_knows_every_name_that_is_suggested() =>
        Assert.All(NpgsqlKeywordNames, name => Assert.True(new NpgsqlConnectionStringBuilder().ContainsKey(name), name));

    private static string[] NpgsqlKeywordNames =>
        (string[])typeof(DatabaseUrl).Assembly.GetType("Jobs.Database.NpgsqlKeywords", throwOnError: true)!
            .GetField("Names", BindingFlags.Static | BindingFlags.NonPublic)!.GetValue(null)!;
}
