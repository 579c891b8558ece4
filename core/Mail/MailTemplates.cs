using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Mail;

/// <summary>The templates by kind and language: an operator's own (MAIL_TEMPLATES_DIR), else those built in.</summary>
internal sealed partial class MailTemplates
{
    private readonly Dictionary<string, MailTemplate> _own = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, MailTemplate?> _builtIn = new(StringComparer.Ordinal);

    /// <exception cref="OperatorException">One of the operator's templates is not right.</exception>
    public MailTemplates(Settings settings)
    {
        if (settings.Optional("MAIL_TEMPLATES_DIR") is { } directory)
        {
            ReadOwn(directory);
        }
    }

    /// <summary>In the language, else in English, else in French.</summary>
    /// <returns>The template and the language it is written in; null when there is none.</returns>
    public (MailTemplate Template, Language Language)? Find(string name, Language wanted)
    {
        foreach (var language in new[] { wanted, Language.English, Language.French }.Distinct())
        {
            var file = $"{name}.{language.Code()}.txt";
            if ((_own.GetValueOrDefault(file) ?? _builtIn.GetOrAdd(file, BuiltIn)) is { } template)
            {
                return (template, language);
            }
        }

        return null;
    }

    /// <summary>The names of the files built in.</summary>
    public static IReadOnlyList<string> BuiltInNames =>
        [.. typeof(MailTemplates).Assembly.GetManifestResourceNames().Where(n => n.StartsWith(Folder, StringComparison.Ordinal)).Select(n => n[Folder.Length..]).Order()];

    /// <returns>What a template may not contain, or null.</returns>
    public static string? Mistake(string file, MailTemplate template)
    {
        var name = file.Split('.')[0];
        return MailValues.Known.TryGetValue(name, out var known) && template.Placeholders.FirstOrDefault(p => !known.Contains(p)) is { } unknown
            ? $"names {{{unknown}}}, which mails of this kind do not have" + (Suggestion.Nearest(unknown, known) is { } near
                ? $"; did you mean {{{near}}}?"
                : $"; they have {string.Join(", ", known.Select(k => $"{{{k}}}"))}")
            : null;
    }

    private void ReadOwn(string directory)
    {
        try
        {
            foreach (var path in Directory.EnumerateFiles(directory, "*.txt").Order(StringComparer.Ordinal))
            {
                var file = Path.GetFileName(path);
                if (!FileName().IsMatch(file))
                {
                    throw new OperatorException($"the template {path} must be named as its kind and language are, such as payment_failed.fr.txt (fr, en or ru)");
                }

                var template = Parse(path, File.ReadAllText(path));
                _own[file] = Mistake(file, template) is { } mistake ? throw new OperatorException($"the template {path} {mistake}") : template;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new OperatorException($"MAIL_TEMPLATES_DIR cannot be read: {e.Message}", e);
        }
    }

    private static MailTemplate Parse(string path, string text)
    {
        try
        {
            return MailTemplate.Parse(text);
        }
        catch (FormatException e)
        {
            throw new OperatorException($"the template {path} {e.Message}", e);
        }
    }

    private const string Folder = "mail/";

    private static MailTemplate? BuiltIn(string file)
    {
        using var stream = typeof(MailTemplates).Assembly.GetManifestResourceStream(Folder + file);
        if (stream is null)
        {
            return null;
        }

        using var reader = new StreamReader(stream);
        return MailTemplate.Parse(reader.ReadToEnd());
    }

    [GeneratedRegex(@"^[a-z][a-z0-9_]*\.(fr|en|ru)\.txt$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex FileName();
}
