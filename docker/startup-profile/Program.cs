using Jobs.StartUpProfile;

// startup-profile ASSEMBLIES METHODS OUT.mibc       what METHODS lists, in the form that the ahead-of-time compiler reads
// startup-profile ASSEMBLIES METHODS --add JIT...   adds what the runtime says it compiled, and forgets what is no more
//
// The compiler finds most code by following calls. Generic code that is reached only through an interface, such as the boxes
// of async methods, it does not find; the runtime then compiles it at every start. So it is listed.
if (args is not [var folder, var list, .. var rest] || rest.Length == 0)
{
    await Console.Error.WriteLineAsync("startup-profile ASSEMBLIES METHODS OUT.mibc | startup-profile ASSEMBLIES METHODS --add JIT...");
    return 1;
}

var profile = new ProfileWriter(new Assemblies(folder));
var methods = new SortedSet<string>(File.ReadLines(list), StringComparer.Ordinal);
var adding = rest[0] == "--add";
if (adding)
{
    methods.UnionWith(rest[1..].SelectMany(File.ReadLines).Select(Compiled).OfType<string>());
}

var gone = methods.RemoveWhere(method => !profile.TryAdd(method));
if (adding)
{
    await File.WriteAllLinesAsync(list, methods);
}
else
{
    profile.Write(rest[0]);
    Hints.Remove(Path.Combine(folder, "System.Private.CoreLib.dll"));
}

Console.WriteLine($"{methods.Count} methods compiled ahead for the start, {gone} not found");
return 0;

// "  12: JIT compiled System.Text.Foo`1[int]:Bar(int) [Tier0, IL size=7, code size=31]". What is made at run time, each time
// under another name, cannot be compiled ahead.
static string? Compiled(string line)
{
    const string Mark = "JIT compiled ";
    var start = line.IndexOf(Mark, StringComparison.Ordinal);
    var end = line.LastIndexOf(" [", StringComparison.Ordinal);
    string[] madeAtRunTime = ["dynamicClass", "ILStub", "IL_STUB", ":ParamInfo", ":Deserialize"];
    return start < 0 || end < 0 || madeAtRunTime.Any(made => line.Contains(made, StringComparison.Ordinal)) ? null : line[(start + Mark.Length)..end];
}
