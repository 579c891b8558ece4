using System.Collections.Concurrent;
using System.Text.RegularExpressions;

namespace Jobs.Tests.Crash;

/// <summary>
/// What happens in a folder: each file that appears, gets its name or goes. A run is killed the moment that is seen; it cannot be
/// held there. Where programs work for it, it is held before and after each of them.
/// </summary>
internal sealed partial class FileSteps : Outside
{
    private readonly FileSystemWatcher _watcher;
    private readonly DirectoryInfo? _programs;
    private readonly ConcurrentQueue<string> _seen = new();
    private readonly TaskCompletionSource _held = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private OutsideStep? _at;
    private int _toGo;

    /// <param name="folder">Where the files are; folders in it are there already.</param>
    /// <param name="programs">Made by <see cref="ProgramFolder"/>.</param>
    public FileSteps(DirectoryInfo folder, DirectoryInfo? programs = null)
    {
        _programs = programs;
        _watcher = new FileSystemWatcher(folder.FullName) { IncludeSubdirectories = true, NotifyFilter = NotifyFilters.FileName };
        _watcher.Created += (_, e) => See("appears", e.Name);
        _watcher.Renamed += (_, e) => See("gets its name", e.Name);
        _watcher.Deleted += (_, e) => See("goes", e.Name);
        _watcher.EnableRaisingEvents = true;
    }

    /// <summary>It can be killed there at once, but not kept.</summary>
    public const string Seen = "seen";

    public override bool Varies => true;

    private void See(string what, string? name)
    {
        var step = $"{Varying().Replace(Path.GetFileName(name ?? ""), "*")} {what}";
        lock (_lock)
        {
            _seen.Enqueue(step);
            if (step == _at?.Step && --_toGo == 0)
                _held.TrySetResult();
        }
    }

    public override Task ListenAsync()
    {
        if (_programs is not null)
            File.Delete(Path.Combine(_programs.FullName, ProgramFolder.Steps));
        return Task.CompletedTask;
    }

    public override async Task<IReadOnlyList<OutsideStep>> StepsAsync()
    {
        // The last of them may still be on their way.
        await Task.Delay(200);
        return [.. Numbered(_seen, Seen).Concat(_programs is null ? [] : Numbered(File.ReadLines(Path.Combine(_programs.FullName, ProgramFolder.Steps)), "held"))];
    }

    private static IEnumerable<OutsideStep> Numbered(IEnumerable<string> steps, string hold)
    {
        var times = new Dictionary<string, int>(StringComparer.Ordinal);
        return [.. steps.Select(step => new OutsideStep(step, times[step] = times.GetValueOrDefault(step) + 1, hold))];
    }

    public override async Task HoldAsync(OutsideStep step)
    {
        await ListenAsync();
        if (step.Hold == "held")
            await File.WriteAllTextAsync(Path.Combine(_programs!.FullName, ProgramFolder.Hold), FormattableString.Invariant($"{step.Step} {step.Number}\n"));
        lock (_lock)
            (_at, _toGo) = (step, step.Number);
    }

    public override async Task HeldAsync()
    {
        if (_at?.Hold != "held")
        {
            await _held.Task;
            return;
        }

        while (!File.Exists(Path.Combine(_programs!.FullName, ProgramFolder.Held)))
            await Task.Delay(10);
    }

    public override Task LetGoAsync()
    {
        if (_programs is not null)
        {
            File.Delete(Path.Combine(_programs.FullName, ProgramFolder.Hold));
            File.Delete(Path.Combine(_programs.FullName, ProgramFolder.Held));
        }

        return Task.CompletedTask;
    }

    public override ValueTask DisposeAsync()
    {
        _watcher.Dispose();
        return base.DisposeAsync();
    }

    // Ids of runs, times, the number of a test's database.
    [GeneratedRegex("[0-9a-f]{8,}|[0-9]+", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Varying();
}

/// <summary>pg_dump and pg_restore that tell when they begin and end, and stand still where they are told to.</summary>
internal static class ProgramFolder
{
    public const string Steps = "steps";
    public const string Hold = "hold";
    public const string Held = "held";

    /// <param name="binaries">Where the real ones are.</param>
    /// <param name="port">They speak to the server directly, whatever the run goes through: what they say is not in round trips.</param>
    public static DirectoryInfo Create(string binaries, int port)
    {
        var folder = Directory.CreateTempSubdirectory("programs");
        foreach (var program in new[] { "pg_dump", "pg_restore" })
        {
            var path = Path.Combine(folder.FullName, program);
            File.WriteAllText(
                path,
                FormattableString.Invariant(
                    $$"""
                    #!/bin/sh
                    export PGPORT={{port}}
                    [ "$1" = --version ] && exec {{binaries}}/{{program}} "$@"
                    at() {
                        echo "{{program}} $1" >> {{folder.FullName}}/{{Steps}}
                        if [ "$(cat {{folder.FullName}}/{{Hold}} 2>/dev/null)" = "{{program}} $1 $(grep -c "^{{program}} $1$" {{folder.FullName}}/{{Steps}})" ]; then
                            touch {{folder.FullName}}/{{Held}}
                            while [ -e {{folder.FullName}}/{{Hold}} ]; do sleep 0.05; done
                        fi
                    }
                    at begins
                    {{binaries}}/{{program}} "$@"
                    code=$?
                    at ends
                    exit $code

                    """));
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        return folder;
    }
}
