// Attention maps: pick a head from the grid, point at a token (or a row of the map) to see where it looks.
// Tokens only ever become text, never markup. `#<id>:<head>:<position>` in the address opens a view.
'use strict';
const ink = share => `rgba(8, 32, 74, ${Math.max(0, Math.min(1, share))})`;

function paint(canvas, pattern) {
  const n = pattern.length, context = canvas.getContext('2d');
  canvas.width = canvas.height = n;
  pattern.forEach((row, query) => row.forEach((share, key) => {
    if (share === null) return;
    context.fillStyle = ink(share);
    context.fillRect(key, query, 1, 1);
  }));
}

function element(parent, name, className) {
  const made = document.createElement(name);
  if (className) made.className = className;
  parent.append(made);
  return made;
}

function attention(box) {
  const data = JSON.parse(box.querySelector('script').textContent);
  const grid = element(box, 'div', 'heads');
  const line = element(box, 'div', 'tokens');
  const said = element(box, 'output', 'said');
  const map = element(box, 'canvas', 'map');
  let head = 0, query = data.tokens.length - 1;

  const buttons = data.heads.map((of, i) => {
    const button = element(grid, 'button');
    button.type = 'button';
    paint(element(button, 'canvas'), of.pattern);
    element(button, 'span').textContent = of.name;
    button.addEventListener('click', () => show(i, query));
    return button;
  });
  const spans = data.tokens.map((token, i) => {
    const span = element(line, 'span');
    span.textContent = token;
    span.tabIndex = 0;
    for (const event of ['mouseover', 'focus', 'click']) span.addEventListener(event, () => show(head, i));
    return span;
  });

  function show(newHead, newQuery, key) {
    if (newHead !== head || !map.dataset.head) paint(map, data.heads[newHead].pattern);
    head = newHead;
    query = newQuery;
    map.dataset.head = data.heads[head].name;
    buttons.forEach((button, i) => button.setAttribute('aria-pressed', String(i === head)));
    const row = data.heads[head].pattern[query];
    spans.forEach((span, i) => {
      const share = i < row.length ? row[i] : null;
      span.style.backgroundColor = share === null ? '' : ink(share);
      span.style.color = share !== null && share > 0.5 ? '#fff' : '';
      span.className = i === query ? 'query' : i > query ? 'later' : '';
      span.title = share === null ? '' : share.toFixed(3);
    });
    const shown = key === undefined || key > query
      ? row.map((share, i) => [share, i]).filter(([share]) => share !== null).sort((a, b) => b[0] - a[0]).slice(0, 4)
      : [[row[key], key]];
    const words = shown.map(([share, i]) => `${data.tokens[i]} (${i}) ${share === null ? '–' : share.toFixed(2)}`);
    said.textContent = `head ${data.heads[head].name}, ${data.tokens[query]} (${query}) attends to ${words.join(', ')}`;
  }

  map.addEventListener('mousemove', event => {
    const box = map.getBoundingClientRect(), n = data.tokens.length;
    const at = (place, start, size) => Math.max(0, Math.min(n - 1, Math.floor((place - start) / size * n)));
    show(head, at(event.clientY, box.top, box.height), at(event.clientX, box.left, box.width));
  });

  function open() {
    const [id, name, position] = decodeURIComponent(location.hash.slice(1)).split(':');
    const wanted = data.heads.findIndex(of => of.name === name);
    if (id !== data.id || wanted < 0) return false;
    show(wanted, Math.min(Number(position) || 0, data.tokens.length - 1));
    return true;
  }
  window.addEventListener('hashchange', open);
  if (!open()) show(0, query);
}

document.querySelectorAll('.attention').forEach(attention);
