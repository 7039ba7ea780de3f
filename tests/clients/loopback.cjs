// Required before a program that listens on every interface and may call home: from then on it listens on 127.0.0.1
// alone, and connects to nothing beyond.
const net = require("node:net");

const HERE = "127.0.0.1";
const LOOPBACK = new Set([HERE, "localhost", "::1"]);

const { listen } = net.Server.prototype;
const { connect } = net.Socket.prototype;

const isOptions = (value) => value !== null && typeof value === "object";

// The arguments of `listen` come as (port, host, backlog, ready), (options, ready) or (path, ready), some left out.
net.Server.prototype.listen = function (first, ...others) {
  const ready = [first, ...others].find((each) => typeof each === "function");
  if (isOptions(first) && !("port" in first)) return listen.call(this, first, ...others);
  if (typeof first === "string" && Number.isNaN(Number(first))) return listen.call(this, first, ...others);
  const options = isOptions(first) ? first : { port: typeof first === "function" ? 0 : Number(first ?? 0) };
  return listen.call(this, { ...options, host: HERE }, ready);
};

// Those of `connect` are (options), (port, host) or (path), or node's own list of the two.
net.Socket.prototype.connect = function (...args) {
  const [first, second] = Array.isArray(args[0]) ? args[0] : args;
  const { path, host } = isOptions(first) ? first : { host: typeof second === "string" ? second : undefined };
  if (path || LOOPBACK.has(host ?? "localhost")) return connect.apply(this, args);
  process.nextTick(() => this.destroy(new Error(`beyond loopback: ${host}`)));
  return this;
};
