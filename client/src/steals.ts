// How often a tab may steal the lead: two tabs that can't hear each other must not go on robbing each other.
import type { RealtimeEnv } from './types.js';

export interface Steals {
  allowed(): boolean;
  done(): void;
  /** This tab was stolen from. */
  robbed(): void;
}

const longest = 600_000;

export function createSteals(env: RealtimeEnv, cooldownMs: number): Steals {
  let cooldown = cooldownMs;
  let notBefore = Number.NEGATIVE_INFINITY;

  function wait() {
    // A long peace: what was wrong then is over.
    if (env.now() - notBefore > longest) cooldown = cooldownMs;
    notBefore = env.now() + cooldown;
    cooldown = Math.min(cooldown * 2, longest);
  }

  return { allowed: () => env.now() >= notBefore, done: wait, robbed: wait };
}
