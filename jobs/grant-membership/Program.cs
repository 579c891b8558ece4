using Jobs;
using Jobs.Runs;

return await JobProgram.RunAsync<GrantMembership>(args, GrantMembership.Options);
