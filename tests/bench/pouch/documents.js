// The documents that are replicated: products as they are sold, and sales as they come home.
'use strict';

const AT_A_TIME = 1000;

function padded(number, digits) {
  return String(number).padStart(digits, '0');
}

// A product with its barcode and its dated price in one.
function productOf(number) {
  return {
    _id: `P${padded(number, 7)}`,
    name: `Product number ${number}, ${['blue', 'red', 'green'][number % 3]}`,
    currency: 'EUR',
    price_minor: 100 + (number % 9900),
    tax_group: 'STANDARD',
    barcodes: [String(4000000000000 + number)],
    prices: [{ minor: 90 + (number % 9900), from: 1750000000 }],
  };
}

// A sale of three lines and a tender, about as many bytes as a journal entry and its digests.
// Its id is in the order of time, which is the quickest.
function saleOf(number) {
  const lines = [0, 1, 2].map((line) => ({
    product: `P${padded(line, 3)}`,
    name: `Wooden thing ${line}`,
    quantity: 1000,
    total: 95 + 40 * line,
  }));
  return {
    _id: `${padded(number.toString(16), 12)}${'30'.repeat(10)}`,
    store: 'S1',
    register: 'R0001',
    staff: 'anna',
    currency: 'EUR',
    begun: 1760000000 + number,
    lines,
    tenders: [{ kind: 'CASH', amount: 405 }],
    total: 405,
    receipt: `R0001-${padded(number, 6)}`,
    offline: true,
  };
}

// Puts so many documents into a database, a batch at a time.
async function fill(database, documentOf, count) {
  for (let first = 0; first < count; first += AT_A_TIME) {
    const length = Math.min(AT_A_TIME, count - first);
    await database.bulkDocs(Array.from({ length }, (_, n) => documentOf(first + n)));
  }
}

module.exports = { AT_A_TIME, fill, productOf, saleOf };
