/// The script of a page: it reads cells of a map, and looks addresses and names up.
///
/// All content is there without it.
enum PageScript {
  static let text = #"""
    (()=>{"use strict";const D=JSON.parse(document.getElementById("data").textContent),$=i=>document.getElementById(i);document.documentElement.classList.add("js");
    const N="http://www.w3.org/2000/svg",hex=v=>"0x"+BigInt.asUintN(64,v).toString(16),say=(e,t)=>{e.textContent=t};
    const maps=D.maps.map(m=>{const box=$(m.box),svg=box.querySelector("svg"),out=$(m.say),cells=[];let n="";
    for(const c of m.cells){if(c>="0"&&c<="9"){n+=c;continue}const p=c.codePointAt(0),k=p>=0x3400?p-0x3400+52:p>=97?p-97:p-65+26;for(let i=+n||1;i>0;i--)cells.push(m.sets[k]);n=""}
    const base=BigInt(m.base),per=BigInt(m.cell),cols=m.columns,rows=Math.ceil(cells.length/cols);let at=0;
    const cur=document.createElementNS(N,"rect");cur.setAttribute("class","cur");cur.setAttribute("width",1);cur.setAttribute("height",1);cur.setAttribute("visibility","hidden");svg.append(cur);
    const words=i=>{const w=m.words.filter((_,b)=>cells[i]>>b&1);return w.length?w.join("; "):"not mapped"};
    const show=i=>{at=Math.max(0,Math.min(cells.length-1,i));cur.setAttribute("x",at%cols);cur.setAttribute("y",Math.floor(at/cols));cur.setAttribute("visibility","visible");const a=base+BigInt(at)*per;
    say(out,hex(a)+(m.frames?" (frame "+hex(a+BigInt(m.frames))+")":"")+": "+words(at))};
    box.tabIndex=0;box.setAttribute("role","application");box.setAttribute("aria-label",svg.getAttribute("aria-label")+"; arrow keys read cells");box.setAttribute("aria-describedby",m.say);
    const point=e=>{const r=svg.getBoundingClientRect();show(Math.min(rows-1,Math.floor((e.clientY-r.top)/r.height*rows))*cols+Math.min(cols-1,Math.floor((e.clientX-r.left)/r.width*cols)))};
    say(out,"Point at a cell, or use the arrow keys, to read it.");box.addEventListener("pointermove",point);box.addEventListener("pointerdown",point);box.addEventListener("focus",()=>show(at));
    box.addEventListener("keydown",e=>{const d={ArrowLeft:-1,ArrowRight:1,ArrowUp:-cols,ArrowDown:cols,PageUp:-8*cols,PageDown:8*cols,Home:-(at%cols),End:cols-1-at%cols}[e.key];if(d===undefined||e.ctrlKey||e.altKey||e.metaKey)return;e.preventDefault();if(at+d>=0&&at+d<cells.length)show(at+d);else if(e.key==="End"||e.key==="PageDown")show(cells.length-1);else if(e.key==="PageUp")show(at%cols)});
    return{m,show,has:a=>a>=base&&a<base+BigInt(cells.length)*per,cell:a=>Number((a-base)/per),words,title:m.title}});
    const ask=$("ask"),hits=$("hits");if(!ask)return;
    const look=q=>{const L=[];q=q.trim();const add=(t,id)=>{if(L.length<16)L.push([t,id])};
    const v=/^(0x)?[0-9a-f]+$/i.test(q)&&q.length<19?BigInt("0x"+q.replace(/^0x/i,"")):null;
    if(v!==null){for(const f of D.finds)if(v>=BigInt(f[0])&&v<=BigInt(f[1]))add(f[3],f[2]);
    for(const a of D.areas)if(v>=BigInt(a[0])&&v<=BigInt(a[1]))add("address in "+a[2],a[3]);
    for(const p of maps){const as=[];if(p.has(v))as.push(["address",v]);if(p.m.frames&&p.has(BigInt.asUintN(64,v-BigInt(p.m.frames))))as.push(["frame",BigInt.asUintN(64,v-BigInt(p.m.frames))]);
    for(const[w,a]of as){p.show(p.cell(a));add(w+" in "+p.title+": "+p.words(p.cell(a)),p.m.box)}}}
    const k=v!==null?hex(v):q.toLowerCase();if(k)for(const w of D.words)if(v!==null?w[0]===k:w[0].toLowerCase().includes(k))add(w[1],w[2]);
    hits.replaceChildren(...(q?L.length?L:[["nothing on this page has it",null]]:[]).map(([t,id])=>{const li=document.createElement("li");if(id){const a=document.createElement("a");a.href="#"+id;a.textContent=t;li.append(a)}else li.textContent=t;return li}));return L};
    ask.addEventListener("input",()=>look(ask.value));
    ask.addEventListener("keydown",e=>{if(e.key==="Enter"){const l=hits.querySelector("a");if(l)l.click()}});
    const link=()=>{const m=/^#va=(0x[0-9a-f]+)$/i.exec(location.hash);if(!m)return;ask.value=m[1];const L=look(m[1]),t=L.find(l=>maps.some(p=>p.m.box===l[1]))||L[0];if(t&&t[1]){const e=$(t[1]);e.scrollIntoView({block:"center"});if(e.tabIndex>=0)e.focus({preventScroll:true})}};
    addEventListener("hashchange",link);link()})();
    """#

  /// What the policy of a page allows: its SHA-256 in base64.
  ///
  /// A test holds it against `text`.
  static let hash = "Rzfa6iuCR6CjwjJZ6k9Pj1PRWV/YwgyIeSAXdOLzvRY="
}
