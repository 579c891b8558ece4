using Jobs;
using Jobs.Runs;

// `migrate status` reads better than `migrate --status`; both work.
return await JobProgram.RunAsync<Migrate>(args is ["status", .. var rest] ? ["--status", .. rest] : args, [Migrate.Status]);
