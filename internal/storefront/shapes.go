package storefront

// The shapes of things, each standing at about 200 of 240. {B} is the body's colour, {D} its dark side's, {L} the label's, {P} the paper's.

func crescent(p paint) string {
	return fill(p, `<path d="M66 66c-6 62 34 126 112 120 12-1 16-12 5-16-52-12-84-52-90-106-2-14-25-13-27 2z" fill="{B}"/><path d="M72 92c6 46 44 88 104 90" fill="none" stroke="{D}" stroke-width="5" stroke-linecap="round" opacity=".55"/><path d="M66 66l2-18 20 0 5 16z" fill="{D}"/>`)
}

func slice(p paint) string {
	return fill(p, `<circle cx="120" cy="128" r="72" fill="{B}"/><circle cx="120" cy="128" r="62" fill="{L}"/><g fill="{B}"><path d="M120 122l-20-44a50 50 0 0 1 40 0z"/><path d="M126 126l44-20a50 50 0 0 1 0 40z"/><path d="M120 134l20 44a50 50 0 0 1-40 0z"/><path d="M114 130l-44 20a50 50 0 0 1 0-40z"/></g><path d="M150 62c10-22 30-24 42-20-6 18-20 28-42 20z" fill="#5aa34a"/>`)
}

func bunch(p paint) string {
	return fill(p, `<g fill="{B}"><circle cx="86" cy="104" r="28"/><circle cx="138" cy="100" r="28"/><circle cx="168" cy="132" r="24"/><circle cx="112" cy="146" r="28"/><circle cx="150" cy="166" r="24"/><circle cx="98" cy="178" r="22"/></g><g fill="#fff" opacity=".4"><circle cx="78" cy="94" r="7"/><circle cx="130" cy="90" r="7"/><circle cx="104" cy="136" r="7"/></g><path d="M112 78c-2-20 8-34 22-40l6 6c-12 8-16 20-16 34z" fill="#7a5a36"/><path d="M128 62c14-24 42-22 56-14-10 22-36 28-56 14z" fill="#5aa34a"/>`)
}

func root(p paint) string {
	return fill(p, `<path d="M84 92c-4 40 16 92 36 112 20-20 40-72 36-112-14-18-58-18-72 0z" fill="{B}"/><path d="M92 120h24M124 142h22M98 160h18" stroke="{D}" stroke-width="5" stroke-linecap="round"/><path d="M118 84c-20-8-34-26-32-48 18 4 28 18 32 30 2-18 12-32 26-36 4 18-4 40-14 50z" fill="#5aa34a"/>`)
}

func eggs(p paint) string {
	return fill(p, `<g fill="{L}"><ellipse cx="80" cy="122" rx="24" ry="32"/><ellipse cx="120" cy="116" rx="25" ry="34"/><ellipse cx="160" cy="122" rx="24" ry="32"/></g><path d="M44 138h152l-12 58a10 10 0 0 1-10 8H66a10 10 0 0 1-10-8z" fill="{B}"/><path d="M52 164h136" stroke="{D}" stroke-width="5" opacity=".5"/>`)
}

func wedge(p paint) string {
	return fill(p, `<path d="M40 140L164 68c22 8 34 34 36 72z" fill="{L}"/><path d="M40 140h160v52a8 8 0 0 1-8 8H48a8 8 0 0 1-8-8z" fill="{B}"/><g fill="{D}" opacity=".55"><circle cx="84" cy="170" r="13"/><circle cx="140" cy="162" r="9"/><circle cx="164" cy="184" r="11"/><ellipse cx="146" cy="112" rx="12" ry="7"/></g>`)
}

func block(p paint) string {
	return fill(p, `<path d="M44 116l28-24h132l-24 24z" fill="{L}"/><path d="M180 116l24-24v76l-24 26z" fill="{D}"/><rect x="44" y="116" width="136" height="78" rx="4" fill="{B}"/><rect x="64" y="136" width="96" height="38" rx="6" fill="{L}"/><path d="M78 150h68M78 161h46" stroke="{D}" stroke-width="5" stroke-linecap="round"/>`)
}

func carton(p paint) string {
	return fill(p, `<path d="M78 92l18-34h48l18 34z" fill="{D}"/><rect x="96" y="44" width="48" height="16" rx="3" fill="{L}"/><rect x="78" y="92" width="84" height="112" rx="5" fill="{B}"/><path d="M78 128c28-16 56 16 84 0v52c-28 16-56-16-84 0z" fill="{L}"/><circle cx="120" cy="154" r="15" fill="{B}"/><path d="M162 92v112l-12 0V92z" fill="{D}" opacity=".4"/>`)
}

func tub(p paint) string {
	return fill(p, `<path d="M60 108h120l-14 88a9 9 0 0 1-9 8H83a9 9 0 0 1-9-8z" fill="{B}"/><rect x="52" y="90" width="136" height="20" rx="8" fill="{D}"/><path d="M66 134h108l-6 38H72z" fill="{L}"/><path d="M94 152c14-14 38-14 52 0" stroke="{B}" stroke-width="7" fill="none" stroke-linecap="round"/>`)
}

func pizza(p paint) string {
	return fill(p, `<circle cx="120" cy="128" r="76" fill="#c98f4e"/><circle cx="120" cy="128" r="64" fill="{L}"/><g fill="{B}"><circle cx="96" cy="104" r="14"/><circle cx="146" cy="112" r="14"/><circle cx="112" cy="156" r="14"/><circle cx="158" cy="154" r="11"/></g><g fill="#5aa34a"><circle cx="122" cy="126" r="6"/><circle cx="84" cy="138" r="6"/><circle cx="132" cy="84" r="6"/></g>`)
}

func sandwich(p paint) string {
	return fill(p, `<path d="M40 150L120 70l80 80z" fill="{L}"/><path d="M40 150h160v14H40z" fill="#84a83a"/><path d="M40 164h160v10H40z" fill="#d9483b"/><path d="M40 174h160v18a8 8 0 0 1-8 8H48a8 8 0 0 1-8-8z" fill="{B}"/><path d="M52 146l68-68 68 68" fill="none" stroke="{B}" stroke-width="9" stroke-linejoin="round"/>`)
}

func bar(p paint) string {
	return fill(p, `<g transform="rotate(-18 120 130)"><rect x="72" y="52" width="96" height="76" fill="#6b4226"/><path d="M72 90h96M104 52v76M136 52v76" stroke="#57331b" stroke-width="4"/><path d="M66 112l8 8 9-8 9 8 9-8 9 8 9-8 9 8 9-8 9 8 9-8 9 8 10-8v88a6 6 0 0 1-6 6H72a6 6 0 0 1-6-6z" fill="{B}"/><rect x="82" y="142" width="76" height="36" rx="6" fill="{L}"/></g>`)
}

func bag(p paint) string {
	return fill(p, `<path d="M66 58h108c-6 14-6 26 0 40 6 36 6 62-2 92l4 14H64l4-14c-8-30-8-56-2-92 6-14 6-26 0-40z" fill="{B}"/><path d="M64 58h112v14H64zM66 190h108l2 14H64z" fill="{D}"/><ellipse cx="120" cy="132" rx="38" ry="34" fill="{L}"/><path d="M100 132c10-16 30-16 40 0-10 16-30 16-40 0z" fill="{B}"/>`)
}

func cup(p paint) string {
	return fill(p, `<path d="M94 78c-8-12 8-18 0-32M122 78c-8-12 8-18 0-32M150 78c-8-12 8-18 0-32" stroke="{D}" stroke-width="6" fill="none" stroke-linecap="round" opacity=".35"/><path d="M166 116h14a22 22 0 0 1 0 46h-18" fill="none" stroke="{B}" stroke-width="13"/><path d="M66 94h108v58a46 46 0 0 1-46 46h-16a46 46 0 0 1-46-46z" fill="{B}"/><ellipse cx="120" cy="95" rx="54" ry="11" fill="{D}"/><path d="M86 130h68v22H86z" fill="{L}"/>`)
}

func wine(p paint) string {
	return fill(p, `<path d="M106 34h28v48c0 16 22 22 22 46v68a9 9 0 0 1-9 9H93a9 9 0 0 1-9-9v-68c0-24 22-30 22-46z" fill="{B}"/><path d="M106 34h28v26h-28z" fill="{D}"/><rect x="84" y="132" width="72" height="46" fill="{L}"/><path d="M100 148h40M108 162h24" stroke="{D}" stroke-width="5" stroke-linecap="round"/>`)
}

func can(p paint) string {
	return fill(p, `<path d="M78 74l8-14h68l8 14v116l-8 14H86l-8-14z" fill="{B}"/><ellipse cx="120" cy="60" rx="34" ry="7" fill="#d9dee2"/><path d="M78 108l84-22v48l-84 24z" fill="{L}"/><path d="M86 204h68l8-14H78z" fill="#c6ccd1"/><path d="M92 78v108" stroke="#fff" stroke-width="7" opacity=".35"/>`)
}

func fish(p paint) string {
	return fill(p, `<path d="M38 132c28-46 88-56 130-12l34-28c6 26 6 54 0 80l-34-28c-42 44-102 34-130-12z" fill="{B}"/><path d="M96 96c14 24 14 48 0 72" stroke="{L}" stroke-width="6" fill="none" stroke-linecap="round"/><circle cx="70" cy="122" r="7" fill="#fff"/><circle cx="70" cy="122" r="3.500" fill="#222"/><path d="M118 118c8 8 8 20 0 28M138 118c8 8 8 20 0 28" stroke="{D}" stroke-width="5" fill="none" stroke-linecap="round"/>`)
}

func cone(p paint) string {
	return fill(p, `<path d="M82 122h76l-38 84z" fill="#d9a35b"/><path d="M96 128l34 56M144 128l-34 56" stroke="#b47f3b" stroke-width="4"/><circle cx="120" cy="92" r="44" fill="{B}"/><path d="M76 104c10 30 24 10 32 22 8 12 18 10 24-2 8-12 24 4 32-20z" fill="{B}"/><circle cx="106" cy="76" r="10" fill="#fff" opacity=".45"/><circle cx="134" cy="48" r="10" fill="#c8323c"/>`)
}

func roll(p paint) string {
	return fill(p, `<path d="M62 84h92v110a8 8 0 0 1-8 8H70a8 8 0 0 1-8-8z" fill="{B}"/><ellipse cx="108" cy="84" rx="46" ry="20" fill="{D}"/><ellipse cx="108" cy="84" rx="17" ry="7.500" fill="#a98a62"/><path d="M154 92h34v84l-11-7-11 7-12-7z" fill="{B}" stroke="{D}" stroke-width="3"/><path d="M76 130h64M76 148h64" stroke="{L}" stroke-width="6" opacity=".5" stroke-linecap="round"/>`)
}

func mushroom(p paint) string {
	return fill(p, `<path d="M98 128h44c0 26 6 44 12 62a8 8 0 0 1-8 10H94a8 8 0 0 1-8-10c6-18 12-36 12-62z" fill="{L}"/><path d="M46 130c2-44 36-74 74-74s72 30 74 74c-46 14-102 14-148 0z" fill="{B}"/><path d="M60 122c6-26 22-42 42-48" stroke="#fff" stroke-width="8" fill="none" stroke-linecap="round" opacity=".35"/>`)
}

func round(p paint) string {
	return fill(p, `<path d="M120 78c18-18 66-14 72 36 5 46-28 88-54 90-8 1-12-4-18-4s-10 5-18 4c-26-2-59-44-54-90 6-50 54-54 72-36z" fill="{B}"/><path d="M176 104c6 40-10 70-34 88" stroke="{D}" stroke-width="9" fill="none" stroke-linecap="round" opacity=".45"/><path d="M66 112c2-14 10-24 22-28" stroke="#fff" stroke-width="9" fill="none" stroke-linecap="round" opacity=".55"/><path d="M119 82c-2-18 2-30 10-40" stroke="#7a5a36" stroke-width="7" fill="none" stroke-linecap="round"/><path d="M126 62c12-22 36-22 50-14-8 20-30 26-50 14z" fill="#5aa34a"/>`)
}

func flower(p paint) string {
	return fill(p, `<path d="M120 128v72" stroke="#3f8f4f" stroke-width="8" stroke-linecap="round"/><path d="M120 176c-26 2-42-12-46-30 24-2 42 10 46 30zM120 190c22 0 36-12 40-28-22-2-36 10-40 28z" fill="#5aa34a"/><g fill="{B}"><ellipse cx="120" cy="62" rx="19" ry="27"/><ellipse cx="120" cy="128" rx="19" ry="27"/><ellipse cx="86" cy="95" rx="27" ry="19"/><ellipse cx="154" cy="95" rx="27" ry="19"/></g><circle cx="120" cy="95" r="19" fill="{L}"/>`)
}

func leaf(p paint) string {
	return fill(p, `<path d="M120 204C60 190 44 120 84 62c10 6 14 10 18 18 4-16 10-26 18-36 8 10 14 20 18 36 4-8 8-12 18-18 40 58 24 128-36 142z" fill="{B}"/><path d="M120 204V92M120 128l-24-22M120 128l24-22M120 160l-30-24M120 160l30-24" stroke="{L}" stroke-width="6" fill="none" stroke-linecap="round"/><path d="M106 190h28v18h-28z" fill="{D}"/>`)
}

func cake(p paint) string {
	return fill(p, `<path d="M44 118l120-46c20 8 34 26 36 46z" fill="{L}"/><path d="M44 118h156v24H44z" fill="{B}"/><path d="M44 142h156v18H44z" fill="#f8ead0"/><path d="M44 160h156v34a8 8 0 0 1-8 8H52a8 8 0 0 1-8-8z" fill="{B}"/><circle cx="152" cy="66" r="14" fill="#c8323c"/><path d="M154 54c2-10 8-14 16-16" stroke="#3f8f4f" stroke-width="5" fill="none" stroke-linecap="round"/>`)
}

func loaf(p paint) string {
	return fill(p, `<path d="M48 122c-22-40 22-62 72-62s94 22 72 62v70a10 10 0 0 1-10 10H58a10 10 0 0 1-10-10z" fill="{D}"/><path d="M62 122c-16-30 18-48 58-48s74 18 58 48v60a8 8 0 0 1-8 8H70a8 8 0 0 1-8-8z" fill="{L}"/><path d="M92 96l-10 20M124 92l-10 24M156 96l-10 20" stroke="{B}" stroke-width="9" stroke-linecap="round"/>`)
}

func steak(p paint) string {
	return fill(p, `<path d="M58 96c22-40 92-44 122 2 20 32 14 76-22 90-28 12-40-12-62-6-30 8-62-36-38-86z" fill="{L}"/><path d="M70 104c18-30 76-34 100 2 14 24 10 56-14 66-22 8-34-12-56-8-26 4-46-24-30-60z" fill="{B}"/><circle cx="106" cy="122" r="18" fill="{L}"/><circle cx="106" cy="122" r="8" fill="{D}" opacity=".5"/><path d="M140 108c14 8 18 24 12 40" stroke="{L}" stroke-width="7" fill="none" stroke-linecap="round"/>`)
}

func tin(p paint) string {
	return fill(p, `<rect x="64" y="66" width="112" height="136" rx="6" fill="#c6ccd1"/><ellipse cx="120" cy="68" rx="56" ry="13" fill="#e3e7ea"/><rect x="64" y="92" width="112" height="88" fill="{B}"/><ellipse cx="120" cy="136" rx="36" ry="30" fill="{L}"/><path d="M104 136c8-12 24-12 32 0-8 12-24 12-32 0z" fill="{B}"/><path d="M76 96v80" stroke="#fff" stroke-width="7" opacity=".3"/>`)
}

func jar(p paint) string {
	return fill(p, `<rect x="76" y="54" width="88" height="26" rx="6" fill="{D}"/><path d="M82 80h76c14 8 20 18 20 32v78a14 14 0 0 1-14 14H76a14 14 0 0 1-14-14v-78c0-14 6-24 20-32z" fill="{B}"/><rect x="62" y="118" width="116" height="56" fill="{L}"/><path d="M86 136h68M96 152h48" stroke="{D}" stroke-width="6" stroke-linecap="round"/><path d="M74 104c2-8 6-12 12-16" stroke="#fff" stroke-width="6" fill="none" stroke-linecap="round" opacity=".6"/>`)
}

func bottle(p paint) string {
	return fill(p, `<rect x="104" y="36" width="32" height="18" rx="4" fill="{D}"/><path d="M106 54h28v22c0 14 28 22 28 50v66a12 12 0 0 1-12 12H90a12 12 0 0 1-12-12v-66c0-28 28-36 28-50z" fill="{B}"/><rect x="78" y="130" width="84" height="46" fill="{L}"/><circle cx="120" cy="153" r="13" fill="{B}"/><path d="M90 122c2-14 10-22 18-30" stroke="#fff" stroke-width="6" fill="none" stroke-linecap="round" opacity=".5"/>`)
}

func box(p paint) string {
	return fill(p, `<path d="M58 76l22-20h104l-22 20z" fill="{L}"/><path d="M162 76l22-20v126l-22 22z" fill="{D}"/><rect x="58" y="76" width="104" height="128" rx="3" fill="{B}"/><path d="M58 100h104v20H58z" fill="{L}"/><circle cx="110" cy="158" r="27" fill="{L}"/><path d="M94 158c8-13 24-13 32 0-8 13-24 13-32 0z" fill="{B}"/>`)
}

func bowl(p paint) string {
	return fill(p, `<path d="M96 84c-8-12 8-16 0-30M124 84c-8-12 8-16 0-30" stroke="{D}" stroke-width="6" fill="none" stroke-linecap="round" opacity=".35"/><ellipse cx="120" cy="122" rx="78" ry="24" fill="{L}"/><g fill="{B}"><circle cx="92" cy="116" r="12"/><circle cx="124" cy="110" r="12"/><circle cx="152" cy="118" r="11"/></g><g fill="#5aa34a"><circle cx="108" cy="126" r="6"/><circle cx="140" cy="128" r="6"/></g><path d="M42 122h156c-2 42-28 76-60 80h-36c-32-4-58-38-60-80z" fill="{D}"/><path d="M42 122h156l-2 14H44z" fill="#fff" opacity=".25"/>`)
}

func pump(p paint) string {
	return fill(p, `<path d="M114 44h34c8 0 12 6 12 14h-16v-2h-18v28h-12z" fill="{D}"/><rect x="96" y="78" width="48" height="16" rx="4" fill="{D}"/><path d="M84 94h72a14 14 0 0 1 14 14v84a12 12 0 0 1-12 12H82a12 12 0 0 1-12-12v-84a14 14 0 0 1 14-14z" fill="{B}"/><rect x="84" y="120" width="72" height="58" rx="8" fill="{L}"/><path d="M120 130c12 16 16 22 16 28a16 16 0 0 1-32 0c0-6 4-12 16-28z" fill="{B}"/>`)
}

func tube(p paint) string {
	return fill(p, `<g transform="rotate(14 120 130)"><path d="M70 52h100l-16 116H86z" fill="{B}"/><path d="M66 44h108v14H66z" fill="{D}"/><path d="M76 92h88l-5 34H81z" fill="{L}"/><rect x="98" y="168" width="44" height="34" rx="5" fill="{D}"/><path d="M92 68l8 88" stroke="#fff" stroke-width="6" opacity=".35" stroke-linecap="round"/></g>`)
}

func bulb(p paint) string {
	return fill(p, `<path d="M120 46c40 0 64 30 62 62-2 30-28 38-32 64H90c-4-26-30-34-32-64-2-32 22-62 62-62z" fill="{B}"/><path d="M106 172v-40l-12-16h52l-12 16v40" fill="none" stroke="{L}" stroke-width="6" stroke-linejoin="round"/><path d="M92 176h56v12H92zM98 190h44v12H98z" fill="#8d969d"/><path d="M78 96c4-14 12-22 24-26" stroke="#fff" stroke-width="7" fill="none" stroke-linecap="round" opacity=".7"/>`)
}

func bone(p paint) string {
	return fill(p, `<path d="M54 168c-18-14-6-42 16-36 20-8 58-46 66-66-6-22 22-34 36-16 18-2 28 26 8 36-20 8-60 48-66 68 8 20-20 34-34 18-12 8-24 4-26-4z" fill="{L}" stroke="{B}" stroke-width="7"/><path d="M96 152c16-10 40-34 52-52" stroke="{B}" stroke-width="6" fill="none" stroke-linecap="round" opacity=".6"/>`)
}

func tuber(p paint) string {
	return fill(p, `<path d="M52 140c-8-40 30-72 70-70 46 0 72 32 66 72-6 38-44 58-78 54-32-2-52-24-58-56z" fill="{B}"/><path d="M180 138c-4 28-30 46-58 48" stroke="{D}" stroke-width="9" fill="none" stroke-linecap="round" opacity=".5"/><g fill="{D}" opacity=".6"><ellipse cx="92" cy="120" rx="8" ry="4"/><ellipse cx="138" cy="104" rx="7" ry="4"/><ellipse cx="122" cy="158" rx="8" ry="4"/><ellipse cx="156" cy="142" rx="6" ry="3"/></g><path d="M72 114c6-14 16-22 30-26" stroke="#fff" stroke-width="8" fill="none" stroke-linecap="round" opacity=".35"/>`)
}
