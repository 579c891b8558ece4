using Jobs;
using Jobs.Runs;

return await JobProgram.RunAsync<Cleanup>(args, [Cleanup.SessionsIdle, Cleanup.AuditOlderThan, AuditExport.RowsPerFile]);
