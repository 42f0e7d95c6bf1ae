import './layout.js';
