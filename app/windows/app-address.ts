// The address of the window's page. A scheme of our own instead of file://: it has an origin, a policy and no way to other
// files.

export const appScheme = "app";
export const appHost = "rushes";
/** Scheme and host, as senders are compared with. */
export const appOrigin = `${appScheme}://${appHost}`;
export const appPage = `${appOrigin}/`;
