"""Style sheet of the report: one column on a phone, light or dark as the reader's system is."""

__all__ = ["STYLE"]

STYLE = """
:root {
  color-scheme: light dark;
  --page: #fafaf8; --card: #ffffff; --ink: #1d1d1f; --soft: #62626a; --line: #dedee3;
  --c0: #c8374d; --c1: #2378a6; --c2: #2f7d3f; --c3: #8447a8; --c4: #c17a10; --c5: #0f8a8a;
  --c6: #9a5b3c; --c7: #56606e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #141416; --card: #1e1e22; --ink: #ececf0; --soft: #a0a0aa; --line: #37373e;
    --c0: #ff7b8d; --c1: #63b6e6; --c2: #7fce8d; --c3: #c79be8; --c4: #f2b65a; --c5: #58cfcf;
    --c6: #d99a78; --c7: #a9b4c4;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif;
}
main { max-width: 1080px; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; margin: .5rem 0 1rem; }
h2 { font-size: 1.2rem; margin: 0 0 .75rem; overflow-wrap: anywhere; }
h3 { font-size: .95rem; margin: 0 0 .25rem; font-weight: 600; }
section, main > figure {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem;
  margin: 0 0 1rem;
}
section section { border: 0; padding: 0; }
figure { margin: 0 0 1rem; }
.narrow { max-width: 640px; }
img { display: block; width: 100%; height: auto; border-radius: 6px; background: #fff; }
figcaption, small, .missing, dt { color: var(--soft); font-size: .875rem; }
small { display: block; font-weight: normal; }
.missing { border-left: 3px solid var(--c4); padding-left: .6rem; margin: 0 0 1rem; }
.players {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(280px, 100%), 1fr)); gap: 1rem;
  margin: 0 0 1rem;
}
audio { width: 100%; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td {
  padding: .35rem .7rem; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: bottom;
}
tbody th, thead th:first-child {
  text-align: left; font-weight: normal; position: sticky; left: 0; background: var(--card);
}
section > .wide tbody th { min-width: 9rem; }
.real { color: var(--soft); }
dl {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(140px, 1fr)); gap: .5rem 1rem;
  margin: 0 0 1rem;
}
dl > div { overflow-wrap: anywhere; } dd { margin: 0; }
details { margin-top: .5rem; } summary { cursor: pointer; }
pre { overflow-x: auto; font-size: .8rem; }
.charts {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(300px, 100%), 1fr)); gap: 1rem;
}
.chart svg { display: block; width: 100%; height: auto; }
.chart-title { fill: var(--ink); font-size: 13px; font-weight: 600; }
.tick { fill: var(--soft); font-size: 11px; }
.grid { stroke: var(--line); stroke-width: 1; }
svg polyline { fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linejoin: round; }
svg circle { fill: currentColor; }
.reference { color: var(--soft); } svg .reference { stroke-dasharray: 5 4; stroke-width: 1.2; }
.legend {
  display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; margin: 0 0 .75rem;
  padding: 0; font-size: .9rem;
}
.legend li::before {
  content: ""; display: inline-block; width: 1.4em; margin-right: .45em;
  border-top: 3px solid currentColor; vertical-align: middle;
}
.legend .reference::before { border-top-style: dashed; }
.curve-0, .curve-8 { color: var(--c0); } .curve-1, .curve-9 { color: var(--c1); }
.curve-2, .curve-10 { color: var(--c2); } .curve-3, .curve-11 { color: var(--c3); }
.curve-4, .curve-12 { color: var(--c4); } .curve-5, .curve-13 { color: var(--c5); }
.curve-6, .curve-14 { color: var(--c6); } .curve-7, .curve-15 { color: var(--c7); }
@media (max-width: 640px) {
  main { padding: .5rem; }
  section, main > figure { padding: .75rem; }
  /* Too small to read at the width of a phone: to be pushed sideways instead. */
  .wide img { width: 680px; max-width: none; }
  .wide figcaption { position: sticky; left: 0; width: max-content; max-width: 80vw; }
  th, td { padding: .3rem .4rem; }
  section > .wide tbody th { min-width: 7rem; }
}
"""
