namespace Jobs.Testing.FakeS3;

/// <summary>A refusal as S3 words it.</summary>
internal sealed class S3Error(int status, string code, string message) : Exception(message)
{
    public int Status => status;
    public string Code => code;
}
