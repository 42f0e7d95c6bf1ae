// Where we are: behind a gateway all pages may be below a path, which the page names. Paths in
// these modules are ours, as if there were none.

export const base = document.documentElement.dataset.base ?? '';
export const at = (path) => base + path;
export const here = () => location.pathname.slice(base.length);
