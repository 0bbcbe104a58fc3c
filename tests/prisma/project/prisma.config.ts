// Lets the CLI run on the engine that is part of its package: nothing is downloaded.
import { defineConfig } from 'prisma/config'
import { PrismaPg } from '@prisma/adapter-pg'

// The engine never clears the timer of its ten seconds for the lock; without this every deploy would last that long.
const start = globalThis.setTimeout
globalThis.setTimeout = ((call: any, after: any, ...rest: any[]) => {
  const timer: any = start(call, after, ...rest)
  if (after === 10000) timer.unref?.()
  return timer
}) as any

export default defineConfig({
  experimental: { adapter: true },
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  engine: 'js',
  adapter: async () =>
    new PrismaPg({ connectionString: process.env.DATABASE_URL, allowExitOnIdle: true, idleTimeoutMillis: 50 }) as any,
})
