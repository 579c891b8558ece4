using Jobs;
using Jobs.Runs;

// All jobs are one program. The name by which it was started tells which of them runs: that of a link (autopayment -> jobs), or
// of a link to that link (an image's /job -> app/autopayment).
var started = Environment.GetCommandLineArgs()[0];
for (string? link = started; link is not null; link = Target(link))
{
    if (JobTable.Find(Path.GetFileName(link)) is { } job)
    {
        return await job(args, ProgramContext.OfProcess);
    }
}

await Console.Error.WriteLineAsync($"'{started}' is no job: start this program by a link with a job's name, one of {string.Join(", ", JobTable.Names)}");
return 1;

static string? Target(string link) =>
    new FileInfo(link).LinkTarget is { } target ? Path.Combine(Path.GetDirectoryName(link)!, target) : null;
