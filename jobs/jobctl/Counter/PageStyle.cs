namespace Jobs.Counter;

/// <summary>The page's looks. Every text has a contrast of 4.5 or more against what is behind it, in both themes.</summary>
internal static class PageStyle
{
    public const string Css =
        """

        :root { color-scheme: light dark; --ink: #1b2430; --dim: #57606f; --line: #d9dee6; --back: #eef1f5; --card: #fff;
          --good: #0b6b3f; --good-back: #e0f3e8; --active: #0b5394; --active-back: #e1eefb; --warning: #7a4a00; --warning-back: #fdf0d3; --warning-line: #c98500;
          --bad: #a3180f; --bad-back: #fde7e5; --bad-line: #c92a1e; --quiet: #4d5665; --quiet-back: #e9edf2 }
        @media (prefers-color-scheme: dark) { :root { --ink: #e7ebf1; --dim: #a3adbb; --line: #303a49; --back: #11161e; --card: #1a212c;
          --good: #6fdba4; --good-back: #123526; --active: #8cc4ff; --active-back: #14304d; --warning: #ffcf75; --warning-back: #3a2b0b; --warning-line: #b98a2d;
          --bad: #ffa79e; --bad-back: #451a17; --bad-line: #c9554b; --quiet: #b7c0cd; --quiet-back: #29323f } }
        * { box-sizing: border-box }
        body { margin: 0; padding: 1.25rem clamp(.75rem, 2.5vw, 2.5rem) 2.5rem; background: var(--back); color: var(--ink);
          font: 1rem/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; overflow-wrap: anywhere }
        header, main { max-width: 84rem; margin: 0 auto }
        header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .1rem 1.25rem; margin-bottom: 1rem }
        h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 } h2 { font-size: 1.05rem; margin: 0 0 .6rem }
        p { margin: .2rem 0 } .made, .zone, .quiet { color: var(--dim) } .made time { color: var(--ink); font-variant-numeric: tabular-nums }
        section { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1rem 1.15rem; margin: 0 0 1rem }
        .banner { border-width: 1px 1px 1px .5rem } .banner h2 { font-size: 1.2rem; margin: 0 0 .25rem }
        .banner.warning { background: var(--warning-back); border-color: var(--warning-line) } .banner.warning h2 { color: var(--warning) }
        .banner.bad { background: var(--bad-back); border-color: var(--bad-line) } .banner.bad h2 { color: var(--bad) }
        .count { display: inline-block; min-width: 1.6em; padding: 0 .45em; border-radius: 1em; text-align: center; font-size: .85em; font-weight: 500;
          color: var(--quiet); background: var(--quiet-back) }
        .s { white-space: nowrap; font-variant-numeric: tabular-nums }
        .totals { display: flex; flex-wrap: wrap; gap: .4rem 2.25rem; margin: 0 } .totals + .totals { margin-top: .6rem; padding-top: .6rem; border-top: 1px solid var(--line) }
        .totals dt { color: var(--dim); font-size: .875rem } .totals dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums } .totals .sum dd { font-weight: 700 }
        table { width: 100%; border-collapse: collapse }
        th, td { padding: .45rem .75rem .45rem 0; text-align: left; vertical-align: top; border-top: 1px solid var(--line) }
        th:last-child, td:last-child { padding-right: 0 }
        thead th { border-top: 0; padding-top: 0; color: var(--dim); font-size: .8125rem; font-weight: 500; white-space: nowrap } tbody th { font-weight: 600; min-width: 8rem } .t { min-width: 5.5rem }
        .n { text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: normal }
        .status { display: inline-block; padding: 0 .55em; border-radius: .4em; font-size: .9375rem; white-space: nowrap }
        .good { color: var(--good); background: var(--good-back) } .active { color: var(--active); background: var(--active-back) }
        .status.warning { color: var(--warning); background: var(--warning-back) } .status.bad { color: var(--bad); background: var(--bad-back) }
        .status.quiet { color: var(--quiet); background: var(--quiet-back) }
        @media (max-width: 60rem) {
          thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
          table, tbody, tr, th, td { display: block }
          tr { padding: .6rem 0; border-top: 1px solid var(--line) } tbody tr:first-child { border-top: 0; padding-top: 0 } tbody tr:last-child { padding-bottom: 0 }
          tbody th, tbody td { display: flex; gap: .75rem; padding: .1rem 0; border: 0; text-align: left; min-width: 0 } tbody .n { text-align: left } .t { min-width: 0 }
          tbody th::before, tbody td::before { content: attr(data-label); flex: 0 0 5.75rem; color: var(--dim); font-size: .875rem; font-weight: 400; line-height: 1.66 }
          tbody th > *, tbody td > * { min-width: 0 } .none { display: none !important }
        }
        @media print {
          :root { color-scheme: light; --ink: #000; --dim: #444; --line: #bbb; --back: #fff; --card: #fff; --good: #000; --active: #000; --warning: #000; --bad: #000; --quiet: #000;
            --good-back: #fff; --active-back: #fff; --warning-back: #fff; --bad-back: #fff; --quiet-back: #fff }
          body { padding: 0; font-size: 10pt } section { border: 0; padding: 0; margin: 0 0 1.2em } .banner { border: 1px solid #000; padding: .5em } .status { padding: 0 } tr { break-inside: avoid }
        }

        """;
}
