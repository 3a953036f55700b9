// Send request
ws.send(JSON.stringify({
  id: 'req-123',
  type: 'request',
  method: 'sessions.list',
  params: {}
}));

// Handle response
ws.onmessage = (event) => {
  const message = JSON.parse(event.data);
  if (message.type === 'response' && message.id === 'req-123') {
    if (message.error) {
      console.error('Error:', message.error);
    } else {
      console.log('Result:', message.result);
    }
  }
};
