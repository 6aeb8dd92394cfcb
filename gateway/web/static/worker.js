// Keeps the QR page for the time without a network. EDITION and FILES stand above, written by the server.
const CACHE = `qr-${EDITION}`;
// A network slower than this is as good as none when somebody waits at a counter.
const PATIENCE_MS = 4000;
const KEPT = new Set(FILES.map((file) => file.split("?")[0]));

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(FILES.map((file) => new Request(file, { cache: "reload" }))))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin || !KEPT.has(url.pathname)) return;
  event.respondWith(fresh(event.request, url.pathname));
});

/** From the network while it answers, else what was kept. The page and the keys are renewed whenever they are seen. */
async function fresh(request, path) {
  const cache = await caches.open(CACHE);
  let timer;
  try {
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("late")), PATIENCE_MS);
    });
    const answer = await Promise.race([fetch(request), late]);
    if (answer.ok && (path === "/v" || path === "/verify/trust")) await cache.put(path, answer.clone());
    if (answer.status < 500) return answer;
    return (await cache.match(path, { ignoreSearch: true })) || answer;
  } catch {
    return (await cache.match(path, { ignoreSearch: true })) || Response.error();
  } finally {
    clearTimeout(timer);
  }
}
