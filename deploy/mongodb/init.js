// Makes a mongod a replica set, of itself or of several, with the users and the roles of Event.io, and looks whether it takes writes.
// The health check of docker-compose.yml runs it, in the container of the server, again and again:
//
//   mongosh "mongodb://localhost:27017/?directConnection=true&tls=true&tlsCAFile=..." --norc init.js
//
// While there are no users, MongoDB lets who comes from its own machine make the first one.
const fs = require("fs")
const folder = process.env.EVENTIO_SECRETS || "/run/secrets"
const passwords = JSON.parse(fs.readFileSync(folder + "/users.json", "utf8"))
const roles = JSON.parse(fs.readFileSync(process.env.EVENTIO_ROLES || "/etc/eventio/roles.json", "utf8"))
// All nodes, comma-separated; this one first.
const members = (process.env.EVENTIO_MEMBERS || "mongodb:27017").split(",")
const roleOf = { api: "eventioApi", worker: "eventioWorker", notifier: "eventioNotifier", migrate: "eventioMigrate", operator: "eventioOperator" }
const admin = db.getSiblingDB("admin")

// attempt runs a command and takes an error for success whose code it names.
function attempt(command, ...codes) {
  try {
    admin.runCommand(command)
  } catch (error) {
    if (!codes.includes(error.codeName)) throw error
  }
}

function logIn() {
  try {
    return admin.auth("root", passwords.root).ok === 1
  } catch (error) {
    if (error.codeName !== "AuthenticationFailed") throw error
    return false
  }
}

if (!logIn()) {
  attempt({ replSetInitiate: { _id: "rs0", members: members.map((host, n) => ({ _id: n, host, priority: n ? 1 : 2 })) } }, "AlreadyInitialized", "Unauthorized")
  for (let n = 0; n < 80 && !db.hello().isWritablePrimary; n++) sleep(100)
  admin.runCommand({ createUser: "root", pwd: passwords.root, roles: ["root"] })
  if (!logIn()) throw new Error("the user root cannot log in")
}
if (!db.hello().isWritablePrimary) throw new Error("no writable primary yet")

// Roles and users are as the files say, also after a new version or with new passwords. What is so already is not written.
const marker = { roles, passwords }
const digest = require("crypto").createHash("sha256").update(JSON.stringify(marker)).digest("hex")
const setUp = admin.getSiblingDB("eventio_setup").done
const before = setUp.findOne({ _id: 0 })
if (!before || before.digest !== digest) {
  for (const role of roles) {
    attempt(role, "Location51002", "DuplicateKey")
    const { createRole, ...rest } = role
    admin.runCommand({ updateRole: createRole, ...rest })
  }
  for (const [user, role] of Object.entries(roleOf)) {
    const granted = { pwd: passwords[user], roles: [{ role, db: "admin" }] }
    attempt({ createUser: user, ...granted }, "Location51003", "DuplicateKey")
    admin.runCommand({ updateUser: user, ...granted })
  }
  setUp.updateOne({ _id: 0 }, { $set: { digest } }, { upsert: true, writeConcern: { w: "majority" } })
}
