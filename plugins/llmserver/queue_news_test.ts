import assert from "node:assert/strict";
import { QueueNews } from "./queue_news.ts";

Deno.test("QueueNews tells the foremost place once, and how many wait", async () => {
  const counts: number[] = [];
  const news = new QueueNews(2, (waiting) => counts.push(waiting));
  const told = new Promise<number>((resolve) => news.listen(resolve));
  news.moved(0, 5);
  news.moved(1, 6);
  news.moved(0, 3);
  assert.equal(await told, 3);
  news.moved(0, undefined);
  news.end();
  news.end();
  assert.deepEqual(counts, [1, 2, 1, 0]);
});

Deno.test("QueueNews is silent once an answer has begun", async () => {
  const news = new QueueNews(1, () => {});
  news.listen(() => assert.fail("told"));
  news.moved(0, 2);
  news.answered(0);
  news.moved(0, 1);
  news.end();
  await new Promise((resolve) => setTimeout(resolve, 600));
});
