// What is quicker with a script. Every page works without it: whatever fails here falls back to the link or the form that it stands on.
'use strict';

const find = (selector, from = document) => from.querySelector(selector);
const toast = find('[data-toast]');

// part asks for a page's part, as the same address would give it whole. null: the browser is to go there instead.
async function part(url, options = {}) {
  try {
    const answer = await fetch(url, {...options, headers: {'X-Fragment': '1'}});
    if (answer.status === 401 || !(answer.headers.get('Content-Type') || '').includes('text/html')) return null;
    const text = await answer.text();
    return text.includes('<html') ? null : text;
  } catch {
    return null;
  }
}

// --- suggestions: the combobox pattern of the ARIA authoring practices, a listbox that the input has the focus of
{
  const form = find('[data-find]'), input = find('#q'), list = find('#suggestions');
  let timer, asked, shown = [], at = -1;
  for (const [name, value] of Object.entries({role: 'combobox', 'aria-autocomplete': 'list', 'aria-expanded': 'false', 'aria-controls': 'suggestions'})) {
    input.setAttribute(name, value);
  }
  const close = () => {
    list.hidden = true;
    at = -1;
    input.setAttribute('aria-expanded', 'false');
    input.removeAttribute('aria-activedescendant');
  };
  const mark = (to) => {
    at = to;
    [...list.children].forEach((item, i) => item.setAttribute('aria-selected', String(i === at)));
    if (at < 0) input.removeAttribute('aria-activedescendant');
    else input.setAttribute('aria-activedescendant', list.children[at].id);
  };
  const show = (all) => {
    shown = all;
    list.replaceChildren(...all.map((one, i) => {
      const item = document.createElement('li'), kind = document.createElement('small');
      item.id = `suggestion-${i}`;
      item.setAttribute('role', 'option');
      kind.textContent = one.kind;
      item.append(one.text, kind);
      item.addEventListener('mousedown', (event) => { event.preventDefault(); location.assign(one.url); });
      return item;
    }));
    mark(-1);
    list.hidden = all.length === 0;
    input.setAttribute('aria-expanded', String(all.length > 0));
  };
  const ask = async () => {
    asked?.abort();
    if (input.value.trim() === '') return close();
    asked = new AbortController();
    try {
      const answer = await fetch(`/suggest?q=${encodeURIComponent(input.value)}`, {signal: asked.signal});
      if (answer.ok && document.activeElement === input) show(await answer.json());
    } catch { /* the next letter asks again, and Enter searches without */ }
  };
  input.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(ask, 120); });
  input.addEventListener('blur', close);
  input.addEventListener('keydown', (event) => {
    const open = !list.hidden;
    if (event.key === 'Escape' && open) { event.preventDefault(); close(); }
    else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      const step = event.key === 'ArrowDown' ? 1 : -1, n = shown.length + 1;
      if (open) mark((at + 1 + step + n) % n - 1); // -1 is the input itself
      else ask();
    }
  });
  form.addEventListener('submit', (event) => {
    const chosen = !list.hidden && at >= 0 && shown[at];
    if (chosen || input.value.trim() === '') event.preventDefault();
    if (chosen) location.assign(chosen.url);
  });
}

// --- the basket beside the page
{
  const drawer = find('#drawer'), inside = find('[data-drawer]');
  const count = (n) => { const badge = find('[data-count]'); badge.textContent = n; badge.hidden = n === '0'; };
  const fill = (text) => {
    const page = find('[data-basketpage]') || inside;
    const label = document.activeElement?.getAttribute('aria-label');
    page.innerHTML = text;
    count(find('[data-items]', page).dataset.items);
    // What was pressed is another element now: the focus goes to the one that says the same.
    if (label) [...page.querySelectorAll('button')].find((b) => b.getAttribute('aria-label') === label)?.focus();
    return page;
  };
  find('[data-basket]').addEventListener('click', async (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || find('[data-basketpage]')) return;
    event.preventDefault();
    const text = await part('/cart');
    if (text === null) return location.assign('/cart');
    fill(text);
    if (!drawer.open) drawer.showModal();
  });
  drawer.addEventListener('click', (event) => { if (event.target === drawer) drawer.close(); });
  document.addEventListener('submit', async (event) => {
    const form = event.target;
    if (!form.matches('[data-cart]')) return;
    event.preventDefault();
    const body = new URLSearchParams(new FormData(form, event.submitter));
    const text = await part(form.action, {method: 'POST', body});
    if (text === null) { // the form itself, with the button that was pressed
      if (event.submitter?.name) form.append(Object.assign(document.createElement('input'), {type: 'hidden', name: event.submitter.name, value: event.submitter.value}));
      return form.submit();
    }
    const page = fill(text), added = find('[data-added]', page);
    if (form.closest('#drawer, [data-basketpage]')) return;
    if (!added) { drawer.showModal(); return; } // something was refused: it says what
    toast.textContent = `${added.dataset.added} is in your basket`;
    clearTimeout(toast.timer);
    toast.timer = setTimeout(() => { toast.textContent = ''; }, 4000);
  });
}

// --- facets that apply at once, and pages that turn in place
{
  const shelf = find('[data-shelf]');
  // Where they stand above the products they are folded; without a script, they aren't.
  const narrow = matchMedia('(max-width: 900px)');
  const facets = (open) => { if (narrow.matches && find('[data-facets]')) find('[data-facets]').open = open; };
  const turn = async (url, keep) => {
    shelf.classList.add('busy');
    const text = await part(url);
    if (text === null) return location.assign(url);
    const focus = document.activeElement, open = find('[data-facets]')?.open;
    const same = focus?.name && `[name="${focus.name}"]${focus.type === 'checkbox' ? `[value="${CSS.escape(focus.value)}"]` : ''}`;
    const title = find('h1', Object.assign(document.createElement('div'), {innerHTML: text}))?.textContent;
    shelf.innerHTML = text;
    shelf.classList.remove('busy');
    if (keep) history.pushState(null, '', url);
    if (title) document.title = `${title} – Larder`;
    facets(open);
    if (same) find(same, shelf)?.focus();
    else window.scrollTo({top: 0});
  };
  if (shelf) {
    facets(false);
    shelf.addEventListener('change', (event) => {
      const form = event.target.closest('[data-filters]');
      if (!form) return;
      const values = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ''));
      turn(`${form.getAttribute('action')}?${values}`, true);
    });
    shelf.addEventListener('click', (event) => {
      const link = event.target.closest('[data-turn]');
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      turn(link.getAttribute('href'), true);
    });
    window.addEventListener('popstate', () => turn(location.href, false));
  }
}

// --- an order that moves by itself
{
  const order = find('[data-order]');
  if (order && !('final' in order.dataset)) {
    const events = new EventSource(`/orders/${order.dataset.order}/live?after=${parseInt(order.dataset.version, 10) || 0}`);
    const look = async (event) => {
      const text = await part(`/orders/${order.dataset.order}`);
      if (text !== null) order.innerHTML = text;
      toast.textContent = `Your order: ${event.data}`;
      setTimeout(() => { toast.textContent = ''; }, 4000);
      if (event.type === 'final') events.close();
    };
    events.addEventListener('change', look);
    events.addEventListener('final', look);
    window.addEventListener('pagehide', () => events.close());
  }
}

// --- small things
// A link from a mail has its token behind #, where no server sees it.
{
  const field = find('[data-token]');
  if (field && location.hash.length > 1) {
    find('input', field).value = location.hash.slice(1);
    field.hidden = true;
    history.replaceState(null, '', location.pathname);
  }
}
// A checkout is sent once. (Twice would be one order too: its key is the same.)
find('[data-once]')?.addEventListener('submit', (event) => {
  const form = event.target;
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = '1';
  document.querySelectorAll('[data-once] .button.large, button[form=checkout]').forEach((button) => { button.setAttribute('aria-busy', 'true'); button.textContent = 'Ordering…'; });
});
window.addEventListener('pageshow', () => { const form = find('[data-once]'); if (form) delete form.dataset.sent; });
// The sheet of stores closes when something else is meant.
document.addEventListener('click', (event) => { const place = find('.place'); if (place?.open && !place.contains(event.target)) place.open = false; });
