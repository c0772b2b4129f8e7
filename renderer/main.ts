// Boot order only: theme and words before the first picture, then the window, then the studio.
import "./style/base.css";
import { mount } from "svelte";
import App from "./App.svelte";
import { connection } from "./state/connection.svelte.ts";
import { form } from "./state/form.svelte.ts";
import { jobs } from "./state/jobs.svelte.ts";
import { liveJob } from "./state/live-job.svelte.ts";
import { machine } from "./state/machine.svelte.ts";
import { models } from "./state/models.svelte.ts";
import { nativeLanguage } from "./state/native-language.svelte.ts";
import { preferences } from "./state/preferences.svelte.ts";
import { route } from "./state/route.svelte.ts";
import { session } from "./state/session.svelte.ts";
import { text } from "./text/text.svelte.ts";

preferences.apply();
await text.load();
route.start();
mount(App, { target: document.getElementById("studio")! });

jobs.start();
liveJob.start();
models.start();
machine.start();
form.start();
nativeLanguage.start();
connection.start();
addEventListener("pagehide", () => session.write());
