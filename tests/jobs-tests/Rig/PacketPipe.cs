using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Jobs.Tests.Rig;

/// <summary>A pipe that keeps each write of a process apart (O_DIRECT). Programs started while it is open inherit its end to write to.</summary>
public sealed class PacketPipe : IDisposable
{
    private const int Direct = 0x4000;
    private const int NonBlocking = 0x800;

    private readonly SafeFileHandle _read;
    private readonly SafeFileHandle _write;

    public PacketPipe()
    {
        var ends = new int[2];
        if (pipe2(ends, Direct | NonBlocking) != 0)
        {
            throw new InvalidOperationException(Marshal.GetLastPInvokeErrorMessage());
        }

        (_read, _write) = (new SafeFileHandle(ends[0], ownsHandle: true), new SafeFileHandle(ends[1], ownsHandle: true));
    }

    /// <summary>What bash redirects to: <c>2>&amp;12</c>. Other shells take a single digit only.</summary>
    public string Redirection => string.Create(CultureInfo.InvariantCulture, $"&{_write.DangerousGetHandle()}");

    /// <summary>What is written, write by write, until something ends: the pipe itself keeps sixteen, then the writer waits.</summary>
    public async Task<List<string>> ReadUntilAsync(Task end)
    {
        var writes = new List<string>();
        while (!end.IsCompleted)
        {
            Read(writes);
            await Task.Delay(5);
        }

        Read(writes);
        return writes;
    }

    private void Read(List<string> writes)
    {
        var buffer = new byte[65536];
        while (read(_read, buffer, buffer.Length) is > 0 and var length)
        {
            writes.Add(Encoding.UTF8.GetString(buffer, 0, (int)length));
        }
    }

    public void Dispose()
    {
        _read.Dispose();
        _write.Dispose();
    }

    [DllImport("libc", SetLastError = true)]
    private static extern int pipe2([Out] int[] ends, int flags);

    [DllImport("libc", SetLastError = true)]
    private static extern nint read(SafeFileHandle descriptor, [Out] byte[] buffer, nint length);
}
