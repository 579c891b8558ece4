namespace Jobs.Testing.FakeStripe;

/// <summary>The tree that <c>expand[]=latest_charge.payment_method</c> asks for.</summary>
internal sealed class Expansion
{
    private readonly Dictionary<string, Expansion> _children = new(StringComparer.Ordinal);

    public Expansion? Child(string name) => _children.GetValueOrDefault(name);

    public static Expansion? Parse(Param? expand, string resultType)
    {
        if (expand?.Children is null || expand.Children.Count == 0)
            return null;

        var root = new Expansion();
        foreach (var path in expand.Children.Values.Select(child => child.Value ?? ""))
        {
            var segments = path.Split('.');
            if (segments.Length > 4)
                throw StripeError.Invalid($"You cannot expand more than 4 levels of a property. Property: {path}", "expand");
            if (!ExpandRules.Allow(resultType, segments))
                throw StripeError.Invalid($"This property cannot be expanded ({path}).", "expand");

            var node = root;
            foreach (var segment in segments)
            {
                if (!node._children.TryGetValue(segment, out var next))
                    node._children[segment] = next = new Expansion();
                node = next;
            }
        }

        return root;
    }
}
