const ws = new WebSocket('ws://127.0.0.1:18789');

ws.onopen = () => {
  // Send hello handshake
  ws.send(JSON.stringify({
    type: 'hello',
    minProtocol: 1,
    maxProtocol: 1,
    client: {
      id: 'my-client',
      version: '1.0.0',
      platform: 'web',
      mode: 'web'
    }
  }));
};

ws.onmessage = (event) => {
  const message = JSON.parse(event.data);
  if (message.type === 'hello-ok') {
    console.log('Connected:', message.server);
    console.log('Features:', message.features);
  }
};
