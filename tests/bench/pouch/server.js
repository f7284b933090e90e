// A server as PouchDB has it: its own routes over leveldb on disk, on loopback.
//
//   node server.js FOLDER PRODUCTS
//
// Fills the database `products`, prints its address, and ends when its standard input does.
'use strict';

const routesOf = require('express-pouchdb');
const PouchDB = require('pouchdb');
const { fill, productOf } = require('./documents');

async function main(folder, products) {
  const OnDisk = PouchDB.defaults({ prefix: `${folder}/` });
  // Only what a PouchDB client asks for: with all of CouchDB's ways a push costs it twice as much.
  const routes = routesOf(OnDisk, {
    mode: 'minimumForPouchDB',
    overrideMode: { exclude: ['compression'] },
  });
  await fill(new OnDisk('products'), productOf, products);
  const server = routes.listen(0, '127.0.0.1', () => {
    console.log(`http://127.0.0.1:${server.address().port}`);
  });
  process.stdin.on('end', () => process.exit()).resume();
}

main(process.argv[2], Number(process.argv[3]));
