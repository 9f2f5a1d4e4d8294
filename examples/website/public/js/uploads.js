'use strict';
/* Sends the form of the uploads with a bar that shows how far it is. */
(() => {
  const find = id => document.getElementById(id);
  const form = find('upload'), bar = find('bar'), state = find('state'), cancel = find('cancel');
  const send = form.querySelector('button:not([type])');

  const show = sending => {
    find('sending').hidden = cancel.hidden = !sending;
    send.disabled = find('files').disabled = sending;
  };
  const failed = text => {
    show(false);
    state.className = 'error';
    state.textContent = text;
  };
  const why = status => ({403: 'This was refused.', 413: 'This is more than the server takes.',
    422: 'Please choose a file.', 507: 'There is no room for more files.'}[status] || 'That did not work.');

  form.addEventListener('submit', event => {
    const data = new FormData(form), request = new XMLHttpRequest();

    event.preventDefault();
    state.className = '';
    bar.value = 0;
    show(true);
    request.upload.addEventListener('progress', step => {
      bar.value = step.total ? step.loaded / step.total : 0;
      state.textContent = `${Math.floor(100 * bar.value)} % sent`;
    });
    request.addEventListener('load', () => {
      if (request.status < 400) location.assign(request.responseURL);
      else failed(why(request.status));
    });
    request.addEventListener('error', () => failed('The connection has failed.'));
    request.addEventListener('abort', () => failed('Cancelled.'));
    cancel.onclick = () => request.abort();
    request.open('POST', form.action);
    request.send(data);
  });
})();
