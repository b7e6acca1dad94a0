// Brings the figures of a page up to date while somebody looks at it: each part with data-live="seconds" is asked for again. A hidden page
// asks nothing; one whose session has ended is loaded anew, which leads to the sign-in; after failures it asks ever less often.
"use strict";
for (const part of document.querySelectorAll("[data-live]")) {
  const every = Number(part.dataset.live) * 1000;
  let pause = every;
  const look = async () => {
    // Who is in a link or a scrolled list of the part keeps it as it is.
    if (!document.hidden && !part.contains(document.activeElement)) {
      try {
        const answer = await fetch(location.href, { headers: { "X-Fragment": "1" }, signal: AbortSignal.timeout(20000) });
        if (answer.status === 401) {
          location.reload();
          return;
        }
        if (!answer.ok) throw new Error(answer.statusText);
        part.innerHTML = await answer.text();
        pause = every;
      } catch {
        pause = Math.min(pause * 2, 60000);
      }
    }
    setTimeout(look, pause);
  };
  setTimeout(look, pause);
}
// Work that a page goes on with by itself sends its form again; whoever leaves the page stops it.
for (const form of document.querySelectorAll("[data-goes-on]")) setTimeout(() => form.requestSubmit(), 300);
