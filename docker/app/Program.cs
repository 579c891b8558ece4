using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Jobs.Runs;

// All jobs are one program. Which of them is to run, the name tells by which it was started: that of a link (autopayment -> jobs),
// or of a link to that (an image's /job -> app/autopayment).
var started = File.ReadAllText("/proc/self/cmdline").Split('\0')[0];
for (string? link = started; link is not null; link = Target(link))
{
    if (Catalogue.Jobs.Any(job => job.Name == Path.GetFileName(link)))
    {
        return await (Task<int>)MainOf(Path.GetFileName(link)).Invoke(null, [args])!;
    }
}

await Console.Error.WriteLineAsync(
    $"'{started}' is no job: start this program by a link with a job's name, one of {string.Join(", ", Catalogue.Jobs.Select(job => job.Name))}");
return 1;

static string? Target(string link) =>
    new FileInfo(link).LinkTarget is { } target ? Path.Combine(Path.GetDirectoryName(link)!, target) : null;

[UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "The jobs are kept whole.")]
[UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "The jobs are kept whole.")]
static MethodInfo MainOf(string job) =>
    Assembly.Load(job).GetType("Program")!.GetMethod("<Main>$", BindingFlags.NonPublic | BindingFlags.Static)!;
