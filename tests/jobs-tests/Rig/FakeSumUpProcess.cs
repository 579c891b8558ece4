namespace Jobs.Tests.Rig;

/// <summary>
/// The fake SumUp as a process of its own on a free port, one for all tests: what separates them is that each has a merchant of
/// its own, see <see cref="SumUpMerchant"/>. It dies with the test process.
/// </summary>
public sealed class FakeSumUpProcess
{
    private static readonly Lazy<Task<FakeSumUpProcess>> Started = new(StartAsync);

    // Held: its standard input closes with us.
    private readonly FakeProcess _process;

    private FakeSumUpProcess(FakeProcess process) => _process = process;

    /// <summary>What SUMUP_API_BASE is set to: <c>http://127.0.0.1:port/</c>.</summary>
    public Uri Base => _process.Base;

    public HttpClient Control => _process.Control;

    public int ProcessId => _process.Id;

    public static Task<FakeSumUpProcess> SharedAsync() => Started.Value;

    private static async Task<FakeSumUpProcess> StartAsync() => new(await FakeProcess.StartAsync("fake-sumup"));
}
