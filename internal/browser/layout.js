// What doesn't fit or lies over something else on the page as it is. Answers a list of sentences.
(() => {
  const faults = [];
  const name = (e) => {
    const said = (e.getAttribute?.('aria-label') || e.textContent || e.value || '').trim().replace(/\s+/g, ' ').slice(0, 40);
    return `<${e.tagName.toLowerCase()}${e.id ? '#' + e.id : ''}${e.className?.baseVal === undefined && e.className ? '.' + e.className.split(' ').join('.') : ''}> "${said}"`;
  };
  const style = (e) => getComputedStyle(e);
  // What is hidden on purpose, for screen readers or until it is needed, isn't looked at, nor what lies under an open dialog.
  const top = document.querySelector('dialog[open]') || document.body;
  const seen = (e) => e.checkVisibility({visibilityProperty: true, opacityProperty: true, contentVisibilityAuto: true}) && style(e).clipPath === 'none' &&
    !e.closest('.hidden, .skip') && e.getBoundingClientRect().width > 1;
  const upwards = function* (e) { for (; e && e !== document.documentElement; e = e.parentElement) yield e; };
  const scrolls = (e) => [...upwards(e.parentElement)].some((up) => /auto|scroll|hidden|clip/.test(style(up).overflowX));
  const lifted = (e) => [...upwards(e)].some((up) => /absolute|fixed|sticky/.test(style(up).position));
  const all = [...top.querySelectorAll('*')].filter(seen);
  const width = document.documentElement.clientWidth;

  if (document.documentElement.scrollWidth > width) faults.push(`the page is ${document.documentElement.scrollWidth} px wide in a window of ${width}`);
  for (const e of all) {
    const box = e.getBoundingClientRect();
    if (!scrolls(e) && style(e).position !== 'fixed' && (box.right > width + 1 || box.left < -1)) faults.push(`${name(e)} reaches from ${Math.round(box.left)} to ${Math.round(box.right)} in a window of ${width}`);
    const own = [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.textContent.trim());
    if (own && /hidden|clip/.test(style(e).overflowX) && e.scrollWidth > e.clientWidth + 1) faults.push(`${name(e)} is cut off`);
  }

  // What is scrolled out of sight lies over nothing.
  const inSight = (e, boxes) => boxes.map((box) => {
    let {left, right, top, bottom} = box;
    for (const up of upwards(e.parentElement)) {
      if (style(up).overflowX === 'visible') continue;
      const frame = up.getBoundingClientRect();
      [left, right, top, bottom] = [Math.max(left, frame.left), Math.min(right, frame.right), Math.max(top, frame.top), Math.min(bottom, frame.bottom)];
    }
    return {left, right, top, bottom};
  }).filter((box) => box.right > box.left && box.bottom > box.top);

  // Two things over each other: what can be pressed, and texts. Those that are lifted out of the page (a button inside the search box) are so on purpose.
  const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2;
  const pairs = (things, what) => {
    for (let i = 0; i < things.length; i++) {
      for (let j = i + 1; j < things.length; j++) {
        const [a, b] = [things[i], things[j]];
        if (a.e.contains(b.e) || b.e.contains(a.e)) continue;
        if (a.boxes.some((x) => b.boxes.some((y) => over(x, y)))) faults.push(`${what} over each other: ${name(a.e)} and ${name(b.e)}`);
      }
    }
  };
  const flat = all.filter((e) => !lifted(e) || top !== document.body);
  pairs(flat.filter((e) => e.matches('a, button, input, select, textarea, summary')).map((e) => ({e, boxes: inSight(e, [...e.getClientRects()])})), 'controls');
  pairs(flat.flatMap((e) => [...e.childNodes].filter((n) => n.nodeType === Node.TEXT_NODE && n.textContent.trim() && !e.closest('select, svg')).map((n) => {
    const range = document.createRange();
    range.selectNodeContents(n);
    // A line's box is higher than its letters.
    const letters = [...range.getClientRects()].map((r) => ({left: r.left, right: r.right, top: r.top + r.height * 0.2, bottom: r.bottom - r.height * 0.2}));
    return {e, boxes: inSight(n, letters)};
  })), 'texts');
  return [...new Set(faults)].slice(0, 20);
})()
