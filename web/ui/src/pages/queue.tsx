export function QueuePage(_: { name: string }) { return null; }
