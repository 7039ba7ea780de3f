// Reads one JSON request per line, `{"do": "verify" | "sign", "secret", "body", "signature", "timestamp"}`, and
// answers each with one line: what Linear's own verifier says, or how Linear documents its signature.
import { createHmac } from "node:crypto";
import { createInterface } from "node:readline";
import { LinearWebhookClient } from "@linear/sdk/webhooks";

function verdict({ secret, body, signature, timestamp }) {
  try {
    return new LinearWebhookClient(secret).verify(Buffer.from(body), signature, timestamp) ? "accepted" : "refused";
  } catch (error) {
    return `refused: ${error.message}`;
  }
}

function signed({ secret, body }) {
  return createHmac("sha256", secret).update(Buffer.from(body)).digest("hex");
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  console.log(JSON.stringify(request.do === "sign" ? signed(request) : verdict(request)));
}
