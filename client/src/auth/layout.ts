import {
  type CSSProperties,
  createElement,
  Fragment,
  type ReactElement,
  type ReactNode,
  useCallback,
  useEffect,
  useRef,
} from 'react';
import { type BannerText, GlobalAuthBanner } from './banner.js';
import { useAuthContext } from './context.js';

/** No box of its own: the content lies as if it stood alone. */
const boxless: CSSProperties = { display: 'contents' };

/**
 * The banner, and below it the content, which nothing can be done with while there is trouble: it stays to be read,
 * and what was typed stays. The focus goes to the banner and comes back.
 */
export function Layout({
  children,
  messages,
}: {
  children?: ReactNode;
  messages?: Partial<BannerText>;
}): ReactElement {
  const { trouble } = useAuthContext();
  const obstacle = trouble === 'signedOut' ? null : trouble;
  const blocked = obstacle !== null;
  const banner = useRef<HTMLDivElement>(null);
  const focused = useRef<HTMLElement | null>(null);
  // React 18 doesn't know `inert`.
  const content = useCallback(
    (element: HTMLElement | null) => {
      element?.toggleAttribute('inert', blocked);
    },
    [blocked],
  );
  useEffect(() => {
    const last = focused.current;
    if (!obstacle || !last) return;
    const bar = banner.current;
    bar?.querySelector('button')?.focus();
    return () => {
      const { activeElement: now, body } = document;
      if (now === body || bar?.contains(now)) last.focus();
    };
  }, [obstacle]);
  return createElement(
    Fragment,
    null,
    createElement('div', { ref: banner }, createElement(GlobalAuthBanner, messages && { messages })),
    createElement(
      'fieldset',
      {
        ref: content,
        disabled: blocked,
        role: 'presentation',
        style: boxless,
        onFocus: ({ target }: { target: EventTarget }) => {
          focused.current = target as HTMLElement;
        },
        // A blur that the block itself causes doesn't count.
        onBlur: () => {
          if (!blocked) focused.current = null;
        },
      },
      children,
    ),
  );
}
