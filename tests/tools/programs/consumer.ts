// A program with PromptLoop's own declarations, which checks at compile time that the example gives its types, and at run time
// that every value is of the type that is declared. Prints what it got as JSON.
import * as example from "./promptloop";

interface DeclaredTestCase {
  input: string; beforeOutput: string; afterOutput: string; passed: boolean; score: number;
  metadata?: { domain?: string; useCase?: string; source?: "generated" | "lmsys" | "user_provided" | "standard"; conversationId?: string; originalRating?: number; [key: string]: any };
}
interface DeclaredConversation {
  conversation_id: string; model: string; timestamp: string;
  conversation: Array<{ content: string; role: "user" | "assistant"; turn: number }>;
  language: string; redacted: boolean; rating?: number; tags?: string[]; domain?: string;
}

function isText(...values: unknown[]): void {
  for (const value of values) if (typeof value !== "string") throw new Error(`${JSON.stringify(value)} is no text`);
}

function checkedCase(one: DeclaredTestCase): DeclaredTestCase {
  isText(one.input, one.beforeOutput.substring(0, 100), one.afterOutput.substring(0, 100));
  if (typeof one.passed !== "boolean" || typeof one.score !== "number") throw new Error("passed and score");
  const { source, originalRating, domain, useCase, conversationId } = one.metadata ?? {};
  isText(domain, useCase, conversationId);
  if (!["generated", "lmsys", "user_provided", "standard"].includes(source ?? "")) throw new Error(`source ${source}`);
  if (originalRating !== undefined && typeof originalRating !== "number") throw new Error("originalRating");
  return one;
}

function checkedConversation(one: DeclaredConversation): DeclaredConversation {
  isText(one.conversation_id, one.model, one.timestamp, one.language);
  one.conversation.forEach((message, at) => {
    isText(message.content);
    if (message.turn !== at + 1 || message.role !== (at % 2 ? "assistant" : "user")) throw new Error("turn and role");
  });
  if (typeof one.redacted !== "boolean" || one.rating === null || one.domain === null) throw new Error("null");
  return one;
}

async function main(domain: string): Promise<void> {
  const conversations: DeclaredConversation[] = (await example.fetchConversations({ domain, language: "en", minRating: 3, maxConversations: 5 })).map(checkedConversation);
  const converted: DeclaredTestCase[] = (await example.conversationsToTestCases(conversations, domain)).map(checkedCase);
  const generated: DeclaredTestCase[] = (await example.generateDomainTestCases(domain, 4)).map(checkedCase);
  const refused: string = await example.generateDomainTestCases("no-such-domain").then(() => "answered", (error: Error) => error.message);
  process.stdout.write(JSON.stringify({ conversations, converted, generated, refused }));
}

void main(process.argv[2] ?? "coding");
