// A script with a mistake, which k6 by itself takes for success.
import { promises, whole } from '../lib/eventio.js';

export const options = promises({ once: { executor: 'shared-iterations', iterations: 1 } });

export default whole(() => { throw new Error('a mistake'); });
