export function DeadPage() { return null; }
