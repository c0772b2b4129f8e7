// A thread that decodes one picture and ends. Started by input-picture.ts only.
import { parentPort, workerData } from "node:worker_threads";
import { decodePicture, loadSharp } from "./decode-picture.ts";
import type { PictureAnswer, PictureQuestion } from "./input-picture.ts";

const sharp = await loadSharp();
let answer: PictureAnswer;
try {
  answer = await decodePicture(sharp, workerData as PictureQuestion);
} catch (error) {
  answer = { failure: error instanceof Error ? error.message : String(error) };
}
parentPort?.postMessage(answer);
