// Reads recorded answers with the official Node SDK: a line of JSON in, a line of JSON out, until the input ends.
import readline from 'node:readline';
import OpenAI from 'openai';

const ANY = 'any'; // Stands for what is sent: the answer is there already.

function client(recorded) {
  const body = Buffer.from(recorded.body, 'base64');
  const respond = async () => new Response(body, { status: recorded.status, headers: recorded.headers });
  return new OpenAI({ baseURL: 'http://recorded/v1', apiKey: 'none', maxRetries: 0, fetch: respond });
}

const counts = (usage) => usage && [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens].map((n) => n ?? null);

function completion(got) {
  const choices = got.choices.map((choice) => ({
    index: choice.index,
    text: choice.message ? choice.message.content ?? '' : choice.text,
    calls: (choice.message?.tool_calls ?? []).map((c) => [
      c.id, (c.custom ?? c.function).name, c.custom ? c.custom.input : c.function.arguments,
    ]),
    finish_reason: choice.finish_reason ?? null,
  }));
  return { choices: choices.sort((a, b) => a.index - b.index), usage: counts(got.usage) ?? null };
}

async function chunks(stream) {
  const choices = new Map();
  let usage = null;
  for await (const chunk of stream) {
    usage = counts(chunk.usage) ?? usage;
    for (const piece of chunk.choices) {
      const start = { index: piece.index, text: '', calls: [], finish_reason: null };
      if (!choices.has(piece.index)) choices.set(piece.index, start);
      const whole = choices.get(piece.index);
      whole.text += (piece.delta ? piece.delta.content : piece.text) ?? '';
      whole.finish_reason = piece.finish_reason ?? whole.finish_reason;
      for (const part of piece.delta?.tool_calls ?? []) {
        const call = (whole.calls[part.index] ??= [null, '', '']);
        call[0] ??= part.id ?? null;
        call[1] += part.function?.name ?? '';
        call[2] += part.function?.arguments ?? '';
      }
    }
  }
  return { choices: [...choices.values()].sort((a, b) => a.index - b.index), usage };
}

function responded(got) {
  const calls = got.output.filter((item) => item.type === 'function_call');
  return { text: got.output_text, calls: calls.map((c) => [c.call_id, c.name, c.arguments]), status: got.status };
}

async function events(stream) {
  let text = '';
  let last;
  for await (const event of stream) {
    if (event.type === 'response.output_text.delta') text += event.delta;
    last = event;
  }
  return { ...responded({ output_text: '', ...last.response }), text };
}

const methods = {
  chat: async (asked, stream) => {
    const got = await asked.chat.completions.create({ model: ANY, messages: [], stream });
    return stream ? chunks(got) : completion(got);
  },
  helper: async (asked) => completion(await asked.chat.completions.stream({ model: ANY, messages: [] }).finalChatCompletion()),
  completions: async (asked, stream) => {
    const got = await asked.completions.create({ model: ANY, prompt: ANY, stream });
    return stream ? chunks(got) : completion(got);
  },
  // Left alone, the SDK asks for base64, and decodes what comes as if it were.
  embeddings: async (asked, _, base64) => {
    const format = base64 ? {} : { encoding_format: 'float' };
    const got = await asked.embeddings.create({ model: ANY, input: ANY, ...format });
    // JSON has no NaN, and no embedding such a number.
    const numbers = (item) => Array.from(item.embedding, (n) => (Number.isFinite(n) ? n : 1e300));
    return { vectors: got.data.map(numbers) };
  },
  models: async (asked) => {
    const ids = [];
    for await (const model of asked.models.list()) ids.push(model.id);
    return { ids };
  },
  model: async (asked) => ({ ids: [(await asked.models.retrieve(ANY)).id] }),
  responses: async (asked, stream) => {
    const got = await asked.responses.create({ model: ANY, input: ANY, stream });
    return stream ? events(got) : responded(got);
  },
};

async function read(recorded) {
  try {
    return await methods[recorded.kind](client(recorded), recorded.streamed, recorded.base64);
  } catch (problem) {
    if (problem instanceof OpenAI.APIError && problem.status) {
      // Statuses without an exception of their own have the base class, which Python calls APIStatusError.
      const name = problem.constructor === OpenAI.APIError ? 'APIStatusError' : problem.constructor.name;
      return { raised: name, message: problem.error?.message ?? null };
    }
    return { failed: `${problem.constructor.name}: ${problem.message}` };
  }
}

for await (const line of readline.createInterface({ input: process.stdin, terminal: false })) {
  process.stdout.write(JSON.stringify(await read(JSON.parse(line))) + '\n');
}
