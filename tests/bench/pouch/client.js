// A client as PouchDB has it, with leveldb on disk.
//
//   node client.js pull ADDRESS FOLDER          products, from the server into a fresh database
//   node client.js push ADDRESS FOLDER SALES    sales, made before the clock starts, to a database
//                                               of their own at the server
//
// Prints the seconds and how many documents are there afterwards.
'use strict';

const PouchDB = require('pouchdb');
const { AT_A_TIME, fill, saleOf } = require('./documents');

async function replicated(source, target) {
  const began = performance.now();
  const told = await PouchDB.replicate(source, target, { batch_size: AT_A_TIME });
  const seconds = (performance.now() - began) / 1000;
  if (!told.ok) throw new Error(`not replicated: ${told.status}`);
  return { seconds, documents: (await target.info()).doc_count };
}

async function main(way, address, folder, sales) {
  const OnDisk = PouchDB.defaults({ prefix: `${folder}/` });
  if (way === 'pull') {
    return replicated(new PouchDB(`${address}/products`), new OnDisk('products'));
  }
  const here = new OnDisk('sales');
  await fill(here, saleOf, sales);
  return replicated(here, new PouchDB(`${address}/sales-${process.pid}`));
}

main(process.argv[2], process.argv[3], process.argv[4], Number(process.argv[5])).then((told) =>
  console.log(JSON.stringify(told)),
);
