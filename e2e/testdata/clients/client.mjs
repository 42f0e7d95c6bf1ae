// Does what a program of a JavaScript library does, with what the library sends by itself:
// client.mjs LIBRARY URL FOLDER, where FOLDER has the node_modules.
import http from 'node:http'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import readline from 'node:readline'

const [library, url, folder] = process.argv.slice(2)
const require = createRequire(pathToFileURL(folder + '/'))
const load = async (name) => (await import(pathToFileURL(require.resolve(name)))).default

const clients = {
  http: () => (method, path, value, text, headers) => new Promise((resolve, reject) => {
    const body = value === undefined ? text : JSON.stringify(value)
    const request = http.request(url + path, { method, headers: { ...headers, ...(value === undefined ? {} : { 'Content-Type': 'application/json' }) } }, (answer) => {
      let data = ''
      answer.setEncoding('utf8').on('data', (chunk) => { data += chunk }).on('end', () => resolve({ status: answer.statusCode, etag: answer.headers.etag, body: data }))
    })
    request.on('error', reject)
    if (body !== undefined) request.write(body) // in chunks, since the length is not told
    request.end()
  }),
  fetch: () => async (method, path, value, text, headers) => {
    const typed = value === undefined ? {} : { 'Content-Type': 'application/json' }
    const answer = await fetch(url + path, { method, headers: { ...headers, ...typed }, body: value === undefined ? text : JSON.stringify(value) })
    return { status: answer.status, etag: answer.headers.get('etag'), body: await answer.text() }
  },
  axios: async () => {
    const axios = await load('axios')
    return async (method, path, value, text, headers) => {
      const answer = await axios({ method, url: url + path, data: value === undefined ? text : value, headers, validateStatus: null, responseType: 'text', transformResponse: (data) => data })
      return { status: answer.status, etag: answer.headers.etag, body: answer.data }
    }
  },
  got: async () => {
    const got = await load('got')
    return async (method, path, value, text, headers) => {
      const answer = await got(url + path, { method, headers, throwHttpErrors: false, ...(value === undefined ? {} : { json: value }), ...(text === undefined ? {} : { body: text }) })
      return { status: answer.statusCode, etag: answer.headers.etag, body: answer.body }
    }
  },
  ky: async () => {
    const ky = await load('ky')
    return async (method, path, value, text, headers) => {
      const answer = await ky(url + path, { method, headers, throwHttpErrors: false, retry: 0, ...(value === undefined ? {} : { json: value }), ...(text === undefined ? {} : { body: text }) })
      return { status: answer.status, etag: answer.headers.get('etag'), body: await answer.text() }
    }
  },
}

const ask = await clients[library]()
for await (const line of readline.createInterface({ input: process.stdin })) {
  const order = JSON.parse(line)
  const answer = await ask(order.method, order.path, order.value, order.text, order.headers)
  process.stdout.write(JSON.stringify({ ...answer, etag: answer.etag ?? '' }) + '\n')
}
