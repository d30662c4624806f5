// PromptLoop's calls, answered by the lmsys-store command. No dependencies; LMSYS_STORE names the program where it is not on PATH.
import { spawn } from "node:child_process";

export type Metadata = { source?: "generated" | "lmsys" | "user_provided" | "standard"; [key: string]: unknown };
export interface TestCase { input: string; beforeOutput: string; afterOutput: string; passed: boolean; score: number; metadata?: Metadata }
export interface Message { content: string; role: "user" | "assistant"; turn: number }
export interface Conversation {
  conversation_id: string; model: string; timestamp: string; conversation: Message[]; language: string; redacted: boolean;
  rating?: number; tags?: string[]; domain?: string;
}
export interface Query { domain?: string; language?: string; minRating?: number; maxConversations?: number; models?: string[]; tags?: string[] }

function call<T>(name: string, given: unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.env.LMSYS_STORE ?? "lmsys-store", ["promptloop", name], { stdio: ["pipe", "pipe", "inherit"] });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
    child.on("error", reject).on("close", (code) => {
      if (code === 0) return resolve(JSON.parse(text) as T);
      const { error, remedy } = JSON.parse(text || "{}") as { error?: string; remedy?: string };
      reject(new Error(`${error ?? `lmsys-store ended with ${code}`}; ${remedy ?? "see its stderr"}`));
    });
    child.stdin.on("error", () => {}).end(JSON.stringify(given));
  });
}

export const fetchConversations = (query: Query) => call<Conversation[]>("fetch", query);
export const conversationsToTestCases = (conversations: Conversation[], targetDomain?: string) => call<TestCase[]>("convert", { conversations, targetDomain });
export const generateDomainTestCases = (domain: string, count = 10) => call<TestCase[]>("cases", { domain, count });
