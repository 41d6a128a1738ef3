//! The page's style sheet.

/// Plain CSS, dark and light, on paper always light.
pub(super) const CSS: &str = "
:root{color-scheme:dark light;--ground:#0e1012;--panel:#171a1d;--line:#333a41;--text:#f1f2f0;--quiet:#a9b1b9;
--green:#6fd39b;--amber:#f5c04e;--red:#ff8f8f;--green-ground:#0f3524;--amber-ground:#3a2e0c;--red-ground:#45161b;
--bar:#3a444d;--c0:#6db3ff;--c1:#ff9d5c;--c2:#5fd6a8;--c3:#f08bc4;--c4:#e3cf57;--c5:#b79cff;--c6:#7fd9e8;--c7:#d7d7d7;
font:16px/1.45 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif;font-variant-numeric:tabular-nums}
@media (prefers-color-scheme:light){:root{--ground:#f3f3f0;--panel:#fff;--line:#d3d4cf;--text:#16191c;--quiet:#545c64;
--green:#12693d;--amber:#7a5200;--red:#a50f1b;--green-ground:#d5ecdf;--amber-ground:#fff0c8;--red-ground:#fbdcdc;
--bar:#c9d2da;--c0:#0064c8;--c1:#c24a00;--c2:#00805a;--c3:#b0307c;--c4:#7a6a00;--c5:#6a3fd0;--c6:#007d90;--c7:#444}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);overflow-wrap:anywhere}
main{max-width:1120px;margin:auto;padding:16px}
h1,h2,p,ul,ol,dl,dd{margin:0;padding:0}
ul,ol{list-style:none}
header.verdict{border-radius:14px;padding:20px 24px}
.take{font-size:20px;font-weight:600}
h1{display:flex;flex-wrap:wrap;align-items:center;gap:14px;font-size:clamp(32px,7vw,60px);line-height:1.15;margin:4px 0 8px}
h1 small{font-size:18px;font-weight:500;border:1px solid;border-radius:8px;padding:2px 10px}
.sign{display:inline-grid;place-items:center;width:1.15em;height:1.15em;border-radius:50%;border:.07em solid;font-size:.8em;line-height:1}
.summary{font-size:18px;max-width:70ch}
.when{margin-top:8px}
.verdict.green{background:var(--green-ground)}.verdict.amber{background:var(--amber-ground)}.verdict.red{background:var(--red-ground)}
.green h1{color:var(--green)}.amber h1{color:var(--amber)}.red h1{color:var(--red)}
section{background:var(--panel);border-radius:14px;padding:18px 24px;margin-top:16px}
h2{font-size:20px;margin-bottom:4px}
.quiet,.when,footer,caption{color:var(--quiet)}
.quiet{max-width:80ch;margin-bottom:10px}
.reasons li{padding:6px 0 6px 16px;border-left:5px solid var(--line);margin-top:8px}
.reasons li.red{border-color:var(--red)}.reasons li.amber{border-color:var(--amber)}
.narrow{display:none}
svg{display:block;width:100%;height:auto}
svg text{fill:var(--quiet);font:13px system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif;font-variant-numeric:tabular-nums}
svg text.name{fill:var(--text)}
.rule{stroke:var(--line);stroke-width:1;fill:none}
.mark{stroke:var(--text);stroke-width:1.2;stroke-dasharray:3 3;opacity:.75}
.bar{fill:var(--bar)}.gap{fill:var(--red)}.drop{stroke:var(--amber);stroke-width:2}
.line{fill:none;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}
.dashed{stroke-dasharray:7 5}
.c0{stroke:var(--c0)}.c1{stroke:var(--c1)}.c2{stroke:var(--c2)}.c3{stroke:var(--c3)}.c4{stroke:var(--c4)}.c5{stroke:var(--c5)}.c6{stroke:var(--c6)}.c7{stroke:var(--c7)}
.legend{display:flex;flex-wrap:wrap;gap:6px 22px;margin-top:10px}
.legend li{display:flex;align-items:center;gap:8px}
.swatch{width:28px;flex:none}
.marks{columns:3 240px;margin-top:10px}
.marks li{break-inside:avoid;padding:2px 0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;margin-top:6px}
th,td{text-align:right;padding:6px 10px;border-top:1px solid var(--line);white-space:nowrap;vertical-align:top}
th{font-weight:600}thead th{border-top:0;color:var(--quiet);font-weight:500;white-space:normal;overflow-wrap:normal;vertical-align:bottom}
th small{color:var(--quiet);font-weight:400}
th:first-child,td:first-child,.left{text-align:left}
th:first-child,td:first-child{padding-left:0}
.long{white-space:normal;min-width:24ch}
.num{white-space:nowrap}
.bad{color:var(--red)}.warn{color:var(--amber)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:6px 20px;margin-top:6px}
dt{font-weight:600}
footer{padding:16px 24px}
@media (max-width:640px){main{padding:8px}header.verdict,section{padding:14px;border-radius:10px;margin-top:8px}
.summary{font-size:16px}.wide{display:none}.narrow{display:block}dl{grid-template-columns:1fr}dd{margin-bottom:6px}
svg text{font-size:12px}footer{padding:14px}}
@media print{:root{color-scheme:light;--ground:#fff;--panel:#fff;--line:#bbb;--text:#000;--quiet:#444;
--green:#0b5a31;--amber:#6b4700;--red:#98000c;--green-ground:#dff2e7;--amber-ground:#fff3d6;--red-ground:#fde3e3;
--bar:#c9d2da;--c0:#0064c8;--c1:#c24a00;--c2:#00805a;--c3:#b0307c;--c4:#7a6a00;--c5:#6a3fd0;--c6:#007d90;--c7:#444;font-size:11px}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}main{max-width:none;padding:0}
section,header.verdict{break-inside:avoid;padding:8px 12px;margin-top:8px}section{border:1px solid var(--line)}
h1{font-size:34px}.summary{font-size:13px}.wide{display:block}.narrow{display:none}.scroll{overflow:visible}th,td{padding:3px 6px}}
";
