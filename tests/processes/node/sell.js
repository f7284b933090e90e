// Sells through a cut with grpc-js: node sell.js PROTOS AGENT. Speaks one line at a time with the test.
const path = require("node:path");
const readline = require("node:readline");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [protos, agent] = process.argv.slice(2);
const definition = loader.loadSync(path.join(protos, "stillopen/v1/register.proto"), {
  includeDirs: [protos],
  keepCase: true,
  longs: Number,
  enums: String,
  defaults: true,
});
const { RegisterService } = grpc.loadPackageDefinition(definition).stillopen.v1;
const register = new RegisterService(agent, grpc.credentials.createInsecure());

const call = (method, request) =>
  new Promise((resolve, reject) => {
    const deadline = new Date(Date.now() + 20000);
    register[method](request, { deadline }, (error, answer) =>
      error ? reject(error) : resolve(answer),
    );
  });
const say = (line) => process.stdout.write(`${line}\n`);

async function main() {
  const input = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  await call("SignIn", { staff_id: "anna", password: "stillopen" });
  let { sale } = await call("Begin", {});
  const write = async (method, request) => {
    const named = { transaction_id: sale.transaction_id, version: sale.version, ...request };
    ({ sale } = await call(method, named));
  };
  await write("AddLine", { code: "P011", quantity_milli: 2000 });
  await write("AddTender", {
    kind: "TENDER_KIND_GIFT_CARD",
    amount: { currency_code: "EUR", minor_units: 1000 },
    card_number: "6001000000000001",
  });
  say("locked");
  await input.next(); // the channel is gone now
  await write("AddLine", { code: "P023", quantity_milli: 1000 });
  await write("AddTender", { kind: "TENDER_KIND_CASH", amount: sale.due });
  await write("Complete", {});
  say(JSON.stringify({ transaction_id: sale.transaction_id, receipt: sale.receipt }));
  register.close();
  process.exit(0);
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
