using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace Jobs.Bench;

/// <summary>A language in which the same work is written in yardsticks/, and the program that runs it.</summary>
/// <param name="WhyNot">Null: it can be measured.</param>
internal sealed record Language(string Name, string Extension, string Program, string Folder, string? WhyNot)
{
    public string File(string work) => work + Extension;

    public Measured Run(string work, IEnumerable<string> arguments, IEnumerable<KeyValuePair<string, string?>> environment, Box? box = null) =>
        Measured.Run(Program, [Path.Combine(Folder, File(work)), .. arguments], environment, box).Succeeding(File(work));
}

/// <summary>
/// What a user would write instead, in yardsticks/: plain SQL, a worker in Python, a job in Node. They run from a copy under artifacts, where
/// the packages of the last are installed as its lock file says. What is missing on the machine is not measured, and nothing else suffers.
/// </summary>
internal sealed class Yardsticks
{
    private Yardsticks(string folder, Language python, Language node) => (Folder, Python, Node) = (folder, python, node);

    public string Folder { get; }
    public Language Python { get; }
    public Language Node { get; }

    public IEnumerable<Language> Languages => [Python, Node];

    /// <summary>A line for each language that is missing.</summary>
    public IEnumerable<Result> NotMeasured(string line, string work) =>
        Languages.Where(l => l.WhyNot is not null).Select(l => Result.NotMeasured(line, l.File(work), l.WhyNot!));

    public static async Task<Yardsticks> PrepareAsync()
    {
        var folder = Ground.RepositoryFile("artifacts/bench/yardsticks");
        Directory.CreateDirectory(folder);
        var isInstalled = await IsInstalledAsync(folder);
        foreach (var file in Directory.GetFiles(Ground.RepositoryFile("tests/bench/yardsticks")))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
        return new Yardsticks(folder, Python3(folder), await NodeAsync(folder, isInstalled));
    }

    /// <summary>The interpreter itself, not a shim that looks for one first.</summary>
    private static Language Python3(string folder)
    {
        Language Of(string program, string? whyNot) => new("Python", ".py", program, folder, whyNot);
        foreach (var candidate in new[] { "/usr/bin/python3", "python3" })
        {
            if (Measured.Run(candidate, ["-c", "import psycopg2, sys; print(sys.executable)"], []) is { ExitCode: 0 } found)
                return Of(found.Stdout.Trim(), null);
        }

        return Of("", "no python3 with psycopg2 (Debian: python3-psycopg2)");
    }

    private static async Task<Language> NodeAsync(string folder, bool isInstalled)
    {
        Language Of(string program, string? whyNot) => new("Node", ".mjs", program, folder, whyNot);
        var node = Measured.Run("node", ["-p", "process.execPath + ' ' + process.versions.node.split('.')[0]"], []);
        if (node.ExitCode != 0 || node.Stdout.Trim().Split(' ') is not [var program, var major])
            return Of("", "no node");
        if (int.Parse(major, CultureInfo.InvariantCulture) < 20)
            return Of("", $"node {major} is older than Stripe's SDK asks for (20)");
        return Of(program, isInstalled ? null : await InstallAsync(folder));
    }

    private static async Task<bool> IsInstalledAsync(string folder)
    {
        var installed = Path.Combine(folder, "package-lock.json");
        return File.Exists(Path.Combine(folder, "node_modules", ".package-lock.json")) && File.Exists(installed)
            && await File.ReadAllTextAsync(installed) == await File.ReadAllTextAsync(Ground.RepositoryFile("tests/bench/yardsticks/package-lock.json"));
    }

    /// <returns>Null when installed, else why not.</returns>
    private static async Task<string?> InstallAsync(string folder)
    {
        Progress.Say($"npm ci in {folder}");
        try
        {
            using var npm = Process.Start(new ProcessStartInfo("npm", ["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            {
                WorkingDirectory = folder,
                UseShellExecute = false,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            npm.StandardInput.Close();
            using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5));
            var (stdout, stderr) = (npm.StandardOutput.ReadToEndAsync(limit.Token), npm.StandardError.ReadToEndAsync(limit.Token));
            try
            {
                await npm.WaitForExitAsync(limit.Token);
                await stdout;
                return npm.ExitCode == 0 ? null : $"npm ci failed ({FirstLine(await stderr)})";
            }
            catch (OperationCanceledException)
            {
                npm.Kill(entireProcessTree: true);
                return "npm ci took more than 5 minutes";
            }
        }
        catch (Win32Exception)
        {
            return "no npm to install its packages";
        }
    }

    private static string FirstLine(string text) => text.Split('\n').FirstOrDefault(l => l.Trim().Length > 0)?.Trim() ?? "it does not say why";
}
