'use strict';
/* Shows the ticks that the server sends. EventSource connects again by itself, and tells the last tick it has. */
(() => {
  const find = id => document.getElementById(id);
  const put = (id, text) => { find(id).textContent = text; };
  const levels = [];
  let last = 0, ticks = 0, missed = 0;

  const draw = () => {
    const low = Math.min(...levels), high = Math.max(...levels), span = Math.max(high - low, 20);
    find('line').setAttribute('points', levels.map((level, i) =>
      `${(600 - 5 * (levels.length - 1 - i)).toFixed(1)},${(150 - 140 * (level - low) / span).toFixed(1)}`).join(' '));
  };

  const source = new EventSource('/ticker/events');
  source.addEventListener('open', () => put('state', 'live'));
  source.addEventListener('error', () =>
    put('state', source.readyState === EventSource.CLOSED ? 'ended' : 'connecting again'));
  source.addEventListener('message', event => {
    const now = JSON.parse(event.data);

    if (last) missed += now.tick - last - 1;
    last = now.tick;
    levels.push(now.level);
    if (levels.length > 120) levels.shift();
    put('level', now.level.toFixed(1));
    put('process', now.process);
    put('ticks', ++ticks);
    put('missed', missed);
    draw();
  });
})();
